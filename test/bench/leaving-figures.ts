import { setTimeout as sleep } from "node:timers/promises";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { bareServer } from "../support/engine-whereabouts.ts";
import type { Figure } from "./figure.ts";

const ROUNDS = 40;
/** Numbers that are asked for: no answer is over before its client leaves. */
const LONG = 400;
const GOAL = 200;

/** Ms from a client's leaving until the engine works for nobody, of streams and of whole answers. */
export async function leavingFigures(): Promise<Figure[]> {
  const served = await ServedGateway.begin({ level: { slots: 2, context: 4096 } });
  const { busy } = bareServer(served.engine.pid ?? 0);
  try {
    const figures: Figure[] = [];
    for (const stream of [true, false]) {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const leaving = new AbortController();
        const asked = fetch(`${served.url}/v1/chat/completions`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(counting(LONG, { stream })),
          signal: leaving.signal,
        })
          .then((response) => response.text())
          .then(
            () => "answered",
            () => "left",
          );
        while ((await busy()) === 0) await sleep(2);
        // Not always at the same moment of the engine's looking around.
        await sleep(20 + 7 * (round % 15));
        const left = performance.now();
        leaving.abort();
        while ((await busy()) > 0) await sleep(2);
        times.push(performance.now() - left);
        if ((await asked) !== "left") throw new Error("the answer was over before its client left");
      }
      times.sort((a, b) => a - b);
      const most = times.at(-1) ?? Number.NaN;
      figures.push({
        name: `until the engine stops for a client that left, ${stream ? "stream" : "whole answer"}`,
        value: most,
        unit: `ms at most, of ${ROUNDS}`,
        goal: GOAL,
        ok: most <= GOAL,
      });
    }
    return figures;
  } finally {
    await served.dispose();
  }
}
