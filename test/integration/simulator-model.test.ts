import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { candidates, gridsOf } from "../../device/simulator/model/eval/candidates.ts";
import { Examinee } from "../../device/simulator/model/eval/examinee.ts";
import { foreignMedia, foreignSchemas } from "../../device/simulator/model/eval/foreign.ts";
import { type Item, type Kind, Samples } from "../../device/simulator/model/eval/samples.ts";
import { shareOf } from "../../device/simulator/model/eval/statistics.ts";
import { Tally } from "../../device/simulator/model/eval/tally.ts";
import { taskOf } from "../../device/simulator/model/eval/tasks.ts";
import { type Trial, trialsOf, turns } from "../../device/simulator/model/eval/trial.ts";
import { shippedVoices } from "../../device/simulator/sound/voices.ts";
import { gridText } from "../../service/contract/grid.ts";

/** Well beneath the card's figures, and far above what a model answers that does not see or hear. */
const FLOOR = 0.9;
const COUNT = 40;
const [candidate] = candidates({ smallMmproj: "Q8_0" });
const grids = gridsOf(candidate.level);
const samples = new Samples(5, shippedVoices());
const examinee = new Examinee(candidate);

beforeAll(() => examinee.start());
afterAll(() => examinee.stop());

/** Asks a task about samples that no training sees, through Perch's own engine and parser. */
async function asked(task: string, items: readonly Item[]): Promise<Tally> {
  return await sat(trialsOf(items, { group: task, task: taskOf(task), question: turns(taskOf(task).seen) }));
}

async function sat(trials: readonly Trial[]): Promise<Tally> {
  const tally = new Tally();
  await examinee.sit(trials, (trial, answer) => tally.add(trial, answer));
  return tally;
}

const kind = (media: Kind["media"], grid = grids[0]): Kind => ({ media, grid, voices: "known" });

describe("the small model", () => {
  it.each(grids.map((grid) => [gridText(grid), grid] as const))(
    "sees pictures of %s patches",
    async (_, grid) => {
      const tally = await asked("image", await samples.take(kind("image", grid), COUNT));
      for (const field of taskOf("image").fields)
        expect(shareOf(tally.of("image", field)), field).toBeGreaterThan(FLOOR);
    },
  );

  it("sees a lamp blink in two pictures", async () => {
    const tally = await asked("frames", await samples.take(kind("frames"), COUNT));
    for (const field of ["light", "blinking"])
      expect(shareOf(tally.of("frames", field)), field).toBeGreaterThan(FLOOR);
  });

  it("hears what sounds, and which word is said", async () => {
    const tally = await asked("sound", await samples.take(kind("sound"), 2 * COUNT));
    for (const field of ["sound", "words"])
      expect(shareOf(tally.of("sound", field)), field).toBeGreaterThan(FLOOR);
  });

  it("sees and hears at once", async () => {
    const tally = await asked("both", await samples.take(kind("both"), COUNT));
    expect(shareOf(tally.of("both", "all"))).toBeGreaterThan(0.8);
  });
});

describe("whatever it is asked", () => {
  it("gives an answer to the schema", async () => {
    const pictures = await samples.take(kind("image"), 12);
    const tally = await sat([...foreignSchemas(pictures), ...foreignMedia(12, grids[0])]);
    expect(tally.sum("foreign ", "valid")).toEqual({ right: 24, of: 24 });
  });
});
