import type { Response } from "undici";
import { PerchError } from "../kernel/errors.ts";
import { serverEvents } from "./server-events.ts";

interface Piece {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message?: string };
}

/** What a streamed chat answer says, piece by piece. Throws PerchError where it ends with an error. */
export async function* spoken(response: Response): AsyncGenerator<string> {
  for await (const { data } of serverEvents(response)) {
    if (data === "[DONE]") return;
    const { choices, error } = JSON.parse(data) as Piece;
    if (error) throw new PerchError("ENGINE_FAILED", error.message ?? "the answer broke off");
    const content = choices?.[0]?.delta?.content;
    if (content) yield content;
  }
}
