import type { Response } from "undici";

/** One server-sent event. */
export interface ServerEvent {
  /** Its kind; "message" where it has none. */
  readonly event: string;
  readonly data: string;
  /** By which a reader goes on after it. */
  readonly id: string | undefined;
}

/** The events of a stream, as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html. */
export async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = eventOf(block);
      if (event) yield event;
    }
  }
}

function eventOf(block: string): ServerEvent | undefined {
  const fields = block.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value ?? ""] as const];
  });
  const last = (name: string) => fields.findLast(([field]) => field === name)?.[1];
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
  return data.length === 0
    ? undefined
    : { event: last("event") ?? "message", data: data.join("\n"), id: last("id") };
}
