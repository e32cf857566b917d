import { afterEach, describe, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { Ladder } from "../../service/contract/models.ts";
import { Inference } from "../../service/inference/inference.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { EngineBench } from "../support/engine-bench.ts";
import { picture } from "../support/engine-media.ts";

const schema: AnswerSchema = {
  person: { type: "boolean" },
  light: { type: "enum", values: ["off", "green", "amber", "red"] },
};
const SENTENCE =
  "Look at the picture closely and say whether a person stands there and which colour the light has. ";

describe("a long question", () => {
  let bench: EngineBench;
  afterEach(() => bench.dispose());

  /** Share of the prompt tokens that the cache had, while watches take turns on new pictures. */
  async function cachedShare(order: Ladder["order"], watches: number): Promise<number> {
    bench = new EngineBench();
    const { data, metrics } = bench;
    const engine = await bench.started({ order });
    const options = { engine, capacity: 64, data, metrics };
    const inference = new Inference({ ...options, clock: systemClock, logger: silentLogger });
    await inference.start();
    for (let seed = 0; seed < 24; seed += 1) {
      const question = `Watch ${seed % watches}. ${SENTENCE.repeat(3)}`;
      const deadline = systemClock.monotonic() + 60_000;
      await inference.submit({
        prompt: { question, schema, images: [picture(seed)] },
        lane: "watch",
        deadline,
      });
    }
    await inference.stop();
    const { yes = 0, no = 0 } = await metrics.totalsBy(metrics.promptTokens, "cached");
    console.log(
      `${order}, ${watches} watches on ${engine.slots} slots: ${((100 * yes) / (yes + no)).toFixed(0)} % of the prompt cached`,
    );
    return yes / (yes + no);
  }

  it("before the picture stays in the prefix cache, also when four watches share two slots", async () => {
    expect(await cachedShare("question-first", 1)).toBeGreaterThan(0.6);
    await bench.dispose();
    expect(await cachedShare("question-first", 4)).toBeGreaterThan(0.5);
  });

  it("after the picture does not", async () => {
    expect(await cachedShare("media-first", 1)).toBeLessThan(0.2);
  });
});
