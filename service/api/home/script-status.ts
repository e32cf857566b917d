/** How the box does: ready or not, what is missing, which level runs at what pace, and why. */
export const STATUS = `
  let health, governor;

  function showHealth(told) {
    // Another version runs: this page is the old one's.
    if (health && health.version !== told.version) return location.reload();
    health = told;
    const { status, missing, parts = {} } = told;
    const ready = status === "ready";
    say(byId("ready"), ready ? "Ready" : "Not ready");
    byId("ready").className = ready ? "good" : "bad";
    // What a camera lacks stands in its own place for who sees it.
    const troubled = Object.entries(parts).filter(([name, { state }]) => state !== "ok" && !(who && name === "feeds"));
    const lines = troubled.map(([name, { state, reason }]) => [partName(name), reason ?? (state === "starting" ? "is starting" : "is " + state)]);
    const unsaid = missing.filter((names) => !names.split(" or ").some((name) => troubled.some(([part]) => part === name)));
    lines.push(...unsaid.map((names) => [names.split(" or ").map(partName).join(" or "), "is missing"]));
    const text = JSON.stringify(lines);
    if (byId("faults").dataset.said !== text)
      byId("faults").replaceChildren(...lines.map(([name, why]) => el("li", {}, el("strong", { text: name }), " ", el("span", { text: capital(why) }))));
    byId("faults").dataset.said = text;
    byId("faults").className = ready ? "" : "bad";
    say(byId("version"), "Perch " + told.version);
  }

  function showGovernor(told) {
    governor = { ...governor, ...told };
    say(byId("why"), capital(governor.text));
    const by = { auto: "", frozen: "The level is frozen by hand", manual: "Set by hand" }[governor.mode] ?? "";
    const until = by && governor.until ? " until " + exact(governor.until) : "";
    const next = governor.next ? "Next: " + governor.next : "";
    sayOrHide(byId("next"), [by && by + until, next].filter(Boolean).join(". "));
    showFacts();
  }

  function levelText({ level, running, reason }) {
    if (level === null) return reason === "elsewhere" ? "None on this box" : "None for now";
    if (running === level) return level;
    return running === null ? level + ", being loaded" : running + ", then " + level;
  }

  /** The zone that is nearest to its limit, or the hottest where none tells one. */
  function hottest(zones) {
    const room = ({ celsius, limit }) => limit === null ? 1000 - celsius : limit - celsius;
    return [...zones].sort((a, b) => room(a) - room(b))[0];
  }

  function showFacts() {
    const { readings: { zones, simulated, watts }, pace, ladder } = governor;
    const facts = [
      ["Level", levelText(governor), ladder ? "of " + ladder : ""],
      ["Pace", percent(pace), "of the time the model may work"],
    ];
    const zone = hottest(zones);
    const limit = zone && zone.limit !== null ? ", limit " + degrees(zone.limit) : "";
    facts.push(["Hottest", zone ? degrees(zone.celsius) : "Not measured", zone ? zone.id + limit : ""]);
    if (simulated) facts.at(-1).push("A simulated box's: nobody measured it");
    else if (watts !== null) facts.push(["Power", watts.toFixed(1) + " W", ""]);
    for (const [i, [name, what, more, note]] of facts.entries()) {
      const place = byId("facts").children[i] ?? byId("facts").appendChild(el("div", {}, el("dt"), el("dd"), el("dd", { className: "dim" }), el("dd", { className: "note" })));
      for (const [j, text] of [name, what, more, note ?? ""].entries()) sayOrHide(place.children[j], text);
    }
    while (byId("facts").children.length > facts.length) byId("facts").lastChild.remove();
  }
`;
