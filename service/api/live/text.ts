import type { Change } from "../../contract/api-live.ts";

/** An id that stands for a place in the record: the number alone could be another change's in a record that was put back. */
export const liveId = (number: number, at: number): string => `${number}-${at}`;

/** A message of a stream of server-sent events (WHATWG HTML, 9.2.6). The data is JSON, which has no line ends. */
export function message(event: string, data: object | string, id?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${text}\n\n`;
}

/** Undefined where there is nothing to tell: the observation was removed meanwhile. */
export function changeText(change: Change): string | undefined {
  const id = liveId(change.number, change.at);
  if (change.kind === "observation")
    return change.observation && message("observation", change.observation, id);
  return message("event", `{"change":"${change.kind}","event":${change.event}}`, id);
}
