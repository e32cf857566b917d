/** Names as they are; where several are the same, the later ones with their place: "acpitz", "acpitz (thermal_zone1)". */
export function distinct(all: readonly { readonly name: string; readonly place: string }[]): string[] {
  const used = new Set<string>();
  return all.map(({ name, place }) => {
    const id = used.has(name) ? `${name} (${place})` : name;
    used.add(id);
    return id;
  });
}
