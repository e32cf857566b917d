import type { Response } from "undici";
import { PerchError } from "../kernel/errors.ts";

interface Piece {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message?: string };
}

/** What a streamed chat answer says, piece by piece. Throws PerchError where it ends with an error. */
export async function* spoken(response: Response): AsyncGenerator<string> {
  for await (const data of eventData(response)) {
    if (data === "[DONE]") return;
    const { choices, error } = JSON.parse(data) as Piece;
    if (error) throw new PerchError("ENGINE_FAILED", error.message ?? "the answer broke off");
    const content = choices?.[0]?.delta?.content;
    if (content) yield content;
  }
}

/** The `data` of each event of a stream of server-sent events. */
export async function* eventData(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true });
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event.split(/\r?\n/).flatMap((line) => /^data: ?(.*)$/.exec(line)?.[1] ?? []);
      if (data.length > 0) yield data.join("\n");
    }
  }
}
