import { type Ask, bytesFrom, jsonFrom } from "./ask.ts";

/** What can be read by an address, for clients that show resources beside tools. */
export const TEMPLATES = [
  {
    uriTemplate: "perch://feeds/{feed}/snapshot.jpg",
    name: "snapshot",
    title: "Newest picture of a camera",
    mimeType: "image/jpeg",
  },
  { uriTemplate: "perch://events/{id}", name: "event", title: "One event", mimeType: "application/json" },
  {
    uriTemplate: "perch://events/{id}/picture.jpg",
    name: "event-picture",
    title: "The picture kept with an event",
    mimeType: "image/jpeg",
  },
] as const;

const EVENTS = "perch://events";

interface FeedLine {
  readonly id: string;
  readonly kind: string;
  readonly title?: string;
}

/** The cameras of this box, and its newest events. */
export async function resourceList(ask: Ask, signal: AbortSignal) {
  const { feeds } = (await jsonFrom(ask("/api/feeds", { signal }))) as { feeds: FeedLine[] };
  const cameras = feeds.filter(({ kind }) => kind === "camera");
  return [
    { uri: EVENTS, name: "events", title: "The newest events", mimeType: "application/json" },
    ...cameras.map(({ id, title }) => ({
      uri: `perch://feeds/${id}/snapshot.jpg`,
      name: id,
      title: `Newest picture of ${title ?? id}`,
      mimeType: "image/jpeg",
    })),
  ];
}

type Resource =
  | { readonly uri: string; readonly mimeType: string; readonly text: string }
  | { readonly uri: string; readonly mimeType: string; readonly blob: string };

/** What lies at an address; undefined where there is no such kind of address. */
export async function resourceAt(uri: string, ask: Ask, signal: AbortSignal): Promise<Resource | undefined> {
  const path = /^perch:\/\/((?:feeds|events)(?:\/[A-Za-z0-9_.-]+){0,2})$/.exec(uri)?.[1];
  if (path === undefined) return undefined;
  if (/^(feeds\/[^/]+\/snapshot|events\/[^/]+\/picture)\.jpg$/.test(path)) {
    const jpeg = await bytesFrom(ask(`/api/${path}`, { signal }));
    return { uri, mimeType: "image/jpeg", blob: jpeg.toString("base64") };
  }
  if (!/^events(\/[^/]+)?$/.test(path)) return undefined;
  const json = await jsonFrom(ask(`/api/${path}`, { signal }));
  return { uri, mimeType: "application/json", text: JSON.stringify(json) };
}
