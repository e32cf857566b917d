import { COUNT_PATH } from "../../inference/engine.ts";
import type { Read } from "./chat.ts";

/** How many tokens a chat's prompt has, pictures and all, by the engine's own count: nothing is answered. */
export const countOf = (read: Read, told: (tokens: number) => object): Read => ({
  ...read,
  stream: false,
  path: COUNT_PATH,
  wording: {
    ...read.wording,
    whole: () => {
      let tokens = 0;
      return {
        take: (events) => {
          tokens = countIn(events);
        },
        whole: () => told(tokens),
      };
    },
  },
});

function countIn(events: string): number {
  const { input_tokens } = JSON.parse(events.slice("data: ".length)) as { input_tokens?: unknown };
  return Number(input_tokens);
}
