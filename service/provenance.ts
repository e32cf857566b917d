import type { Provenance } from "./contract/observation.ts";
import type { Answered } from "./inference/inference.ts";

/** What produced an answer, and how warm the box was then. */
export function provenanceOf(
  { reply, queued, stamp }: Answered,
  { celsius, simulated }: { readonly celsius: number | null; readonly simulated: boolean },
): Provenance {
  return {
    ...stamp,
    hottest: celsius,
    ...(simulated && celsius !== null && { simulated }),
    queue: rounded(queued),
    prompt: rounded(reply.prompt),
    decode: rounded(reply.decode),
    tokens: reply.tokens,
  };
}

const rounded = (ms: number) => Math.round(ms * 100) / 100;
