import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CardContent,
  differencesText,
  type LevelResult,
  percent,
  renderCard,
  table,
} from "../../device/simulator/model/eval/card.ts";
import { firstOf } from "../../device/simulator/model/eval/plan.ts";
import { resultsOf, shortOf } from "../../device/simulator/model/eval/results.ts";
import { sectionsOf, unseenRatio, wordingsOf } from "../../device/simulator/model/eval/rows.ts";
import { differs, quantile, wilson } from "../../device/simulator/model/eval/statistics.ts";
import { discordant, Tally } from "../../device/simulator/model/eval/tally.ts";
import { schemaOf, TASKS, taskOf, truthName } from "../../device/simulator/model/eval/tasks.ts";
import { type Trial, trialsOf } from "../../device/simulator/model/eval/trial.ts";
import { shippedWatches } from "../../device/simulator/model/eval/watches.ts";
import type { Answer, AnswerField } from "../../service/contract/answer.ts";
import type { Truth } from "../../service/contract/media.ts";

const trials = (group: string, task: string, truths: readonly Truth[]) =>
  trialsOf(
    truths.map((truth) => ({ images: [], truth })),
    { group, task: taskOf(task), question: "?" },
  );

/** Answers each trial, with its truth unless another answer is given for its place. */
function tallyOf(asked: readonly Trial[], wrong: Readonly<Record<number, Answer | undefined>> = {}): Tally {
  const tally = new Tally();
  for (const [i, trial] of asked.entries()) {
    const right = Object.fromEntries(
      Object.keys(trial.schema).map((name) => [name, trial.item.truth[name] ?? ""]),
    );
    tally.add(trial, i in wrong ? wrong[i] && { ...right, ...wrong[i] } : right);
  }
  return tally;
}

describe("shares", () => {
  it("have the interval of Wilson's formula", () => {
    const [low, high] = wilson({ right: 90, of: 100 });
    expect(low).toBeCloseTo(0.8256, 4);
    expect(high).toBeCloseTo(0.9448, 4);
    expect(wilson({ right: 50, of: 50 })[0]).toBeCloseTo(0.9287, 4);
    expect(wilson({ right: 0, of: 0 })).toEqual([0, 1]);
  });

  it("lie within their interval, which narrows with more samples", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), (of, seed) => {
        const right = seed % (of + 1);
        const [low, high] = wilson({ right, of });
        expect(low).toBeLessThanOrEqual(right / of + 1e-12);
        expect(high).toBeGreaterThanOrEqual(right / of - 1e-12);
        const [lower, higher] = wilson({ right: right * 4, of: of * 4 });
        expect(higher - lower).toBeLessThan(high - low);
      }),
    );
  });

  it("are never said to be 100 % where something was wrong", () => {
    expect(percent(1)).toBe("100.0 %");
    expect(percent(0.9999)).toBe("99.9 %");
    expect(percent(0.98456)).toBe("98.5 %");
    expect(percent(1.01)).toBe("101.0 %");
    expect(percent(Number.NaN)).toBe("");
  });

  it("differ where the odds of it are less than one in twenty", () => {
    expect(differs(0, 0)).toBe(false);
    expect(differs(1, 6)).toBe(false);
    expect(differs(10, 30)).toBe(true);
    expect(differs(30, 10)).toBe(true);
    expect(differs(100, 110)).toBe(false);
  });

  it("have quantiles by the nearest rank", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(quantile([4, 1, 3, 2], 0.95)).toBe(4);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe("a tally", () => {
  it("counts a field only where the sample has an answer to it", () => {
    const asked = trials("image 5x5", "image", [
      { person: true, people: 1, light: "red", display: 7, camera: "ok" },
      { camera: "dark" },
    ]);
    const tally = tallyOf(asked, { 0: { display: 1 } });
    expect(tally.of("image 5x5", "camera")).toEqual({ right: 2, of: 2 });
    expect(tally.of("image 5x5", "display")).toEqual({ right: 0, of: 1 });
    expect(tally.of("image 5x5", "light = red")).toEqual({ right: 1, of: 1 });
    expect(tally.of("image 5x5", "all")).toEqual({ right: 1, of: 2 });
    expect(tally.of("image 5x5", "belt")).toEqual({ right: 0, of: 0 });
  });

  it("counts words apart where nobody speaks", () => {
    const asked = trials("sound known", "sound", [
      { sound: "speech", words: "help", loudness: "loud" },
      { sound: "noise", words: "", loudness: "none" },
      { sound: "alarm", words: "", loudness: "none" },
    ]);
    const tally = tallyOf(asked, { 1: { words: "yes" } });
    expect(tally.of("sound known", "words")).toEqual({ right: 1, of: 1 });
    expect(tally.of("sound known", "words where nobody speaks")).toEqual({ right: 1, of: 2 });
  });

  it("takes a text that is no answer for wrong in every field", () => {
    const tally = tallyOf(trials("light", "light", [{ light: "red" }, { light: "red" }]), { 1: undefined });
    expect(tally.of("light", "light")).toEqual({ right: 1, of: 2 });
    expect(tally.of("light", "valid")).toEqual({ right: 1, of: 2 });
    expect(tally.confusions(3)).toEqual([
      { field: "light", truth: "red", answer: "no answer", times: 1, of: 2 },
    ]);
  });

  it("names the wrong answers of a field, the most frequent first", () => {
    const asked = trials("light", "light", Array<Truth>(6).fill({ light: "red" }));
    const tally = tallyOf(asked, { 0: { light: "off" }, 1: { light: "amber" }, 2: { light: "amber" } });
    expect(tally.confusions(1)).toEqual([{ field: "light", truth: "red", answer: "amber", times: 2, of: 6 }]);
    expect(tally.confusions(9)).toHaveLength(2);
  });

  it("says which outcomes two levels have not in common", () => {
    const asked = trials("light", "light", Array<Truth>(5).fill({ light: "red" }));
    const one = tallyOf(asked, { 0: { light: "off" }, 1: { light: "off" } });
    const fewer = tallyOf(asked.slice(0, 4), { 1: { light: "off" }, 2: { light: "off" } });
    expect(discordant(fewer, one)).toEqual({ asked: 4, gained: 1, lost: 1 });
  });
});

describe("questions", () => {
  it("of tasks.json have a schema each, and no wording is both seen and unseen", () => {
    expect(TASKS.length).toBeGreaterThan(10);
    for (const task of TASKS) {
      expect(Object.keys(schemaOf(task))).toEqual(task.fields);
      expect(task.unseen.filter((question) => task.seen.includes(question))).toEqual([]);
      expect(task.unseen.length).toBeGreaterThan(0);
    }
  });

  it("find the truth of a field that has another name by its values", () => {
    const [belt, machine] = [taskOf("belt"), taskOf("machine")];
    const states: AnswerField = { type: "enum", values: ["running", "unclear", "empty", "jammed"] };
    expect(truthName("state", states, belt)).toBe("belt");
    const noises: AnswerField = { type: "enum", values: ["normal", "hiss", "grinding", "alarm", "other"] };
    expect(truthName("sound", noises, machine)).toBe("machine");
    expect(truthName("people", { type: "integer", maximum: 60 }, taskOf("people"))).toBe("people");
    expect(truthName("weather", { type: "boolean" }, taskOf("light"))).toBe("weather");
  });

  it("of the shipped configurations are known to the small model, and counted in every field", () => {
    const watches = shippedWatches();
    expect(watches.map(({ name }) => name)).toContain("perch.yaml: scene");
    expect(watches.some(({ name }) => name.startsWith("examples/clinic-kiosk.yaml"))).toBe(true);
    for (const { task, schema } of watches)
      for (const [name, field] of Object.entries(schema))
        expect(taskOf(task.id).fields).toContain(truthName(name, field, task));
  });

  it("are the first ones of each group where a level is asked less", () => {
    const asked = [
      ...trials("a", "light", Array<Truth>(100).fill({ light: "red" })),
      ...trials("b", "light", Array<Truth>(10).fill({ light: "off" })),
    ];
    const fewer = firstOf(asked, { count: 100 }, 25);
    expect(fewer.map(({ id }) => id)).toEqual(
      [...asked.slice(0, 25), ...asked.slice(100, 103)].map(({ id }) => id),
    );
  });
});

const SPEED = { threads: 1, image: { p50: 30, p95: 44.4 }, clip: { p50: 61, p95: 70 }, load: 150 };

function levelOf(id: string, wrong: Readonly<Record<number, Answer>>): LevelResult {
  const asked = [
    ...trials("image 5x5", "image", Array<Truth>(100).fill({ camera: "ok", light: "red" })),
    ...trials("seen light", "light", Array<Truth>(10).fill({ light: "red" })),
    ...trials("unseen light: Which lamp?", "light", Array<Truth>(10).fill({ light: "red" })),
    ...trials("unseen light: Which | lamp?", "light", Array<Truth>(10).fill({ light: "red" })),
  ];
  const files = [
    { file: `small-${id}.gguf`, bytes: 3_000_000 },
    { file: "mmproj.gguf", bytes: 1_234_567 },
  ];
  const tally = tallyOf(asked, wrong);
  return { id, files, tally, shared: tally, speeds: [SPEED], resident: 130e6 };
}

const contentOf = (...levels: CardContent["levels"]): CardContent => ({
  at: new Date("2026-11-25T10:00:00Z"),
  machine: "a machine",
  command: "npm run model:eval",
  seed: 77,
  voices: { known: 24, new: 6 },
  facts: {
    parameters: 5_410_340,
    architecture: [["width", "256"]],
    training: { steps: 3246, minutes: 36.4, seed: 1 },
  },
  levels,
});
const first = levelOf("q8_0", { 3: { light: "off" }, 125: { light: "off" } });
const ALL =
  "{{size}}{{architecture}}{{training}}{{about}}{{accuracy}}{{wordings}}{{levels}}{{differences}}{{speed}}{{confusions}}{{command}}";

describe("the card", () => {
  it("says of each share how sure it is, and whether it reaches its bar", () => {
    const card = renderCard(ALL, contentOf(first));
    expect(card).toMatch(/\| light +\| 100 +\| 99\.0 % +\| 94\.6 – 99\.8 +\| 99\.0 % ok +\|/);
    expect(card).toMatch(
      /\| q8_0 +\| small-q8_0.gguf, mmproj.gguf \| 4,234,567 \| 30 \/ 44 \(bar 120: ok\) \| 61 \/ 70 \(bar 60: \*\*short\*\*\)/,
    );
    expect(card).toContain("36 minutes, 3,246 steps, seed 1");
    expect(card).toContain("95.0 % of 20 (76.4 – 99.1) with others: 95.0 % of it (bar 95.0 %: ok)");
    expect(card).toMatch(/\| light +\| red +\| off +\| 2 of 130 \|/);
  });

  it("is refused where its template asks for what there is not, or leaves something out", () => {
    expect(() => renderCard(`${ALL}{{mood}}`, contentOf(first))).toThrow("{{mood}}");
    expect(() => renderCard(ALL.replace("{{speed}}", ""), contentOf(first))).toThrow("leaves out {{speed}}");
  });

  it("says from the numbers whether levels differ", () => {
    const wrong = (many: number) =>
      Object.fromEntries(Array.from({ length: many }, (_, i) => [i + 10, { light: "off" }]));
    expect(differencesText([first])).toBe("Only this level was examined.");
    expect(differencesText([first, levelOf("q6_k", wrong(1)), levelOf("q2_k", wrong(30))])).toBe(
      "q2_k answers worse than q8_0. Between q8_0 and q6_k no difference beyond chance was found (95 %, McNemar). " +
        "Asked the same: q6_k had 1 of 130 wrong that q8_0 had right, and 2 right that it had wrong; " +
        "q2_k had 30 of 130 wrong that q8_0 had right, and 2 right that it had wrong.",
    );
  });

  it("leaves out what was not asked", () => {
    expect(sectionsOf(first.tally).map(({ title }) => title)).toEqual(["One picture, 5x5 patches"]);
    expect(wordingsOf(first.tally)).toHaveLength(1);
    expect(wordingsOf(first.tally)[0]?.worst.question).toBe("Which | lamp?");
    expect(unseenRatio(new Tally())).toBeNaN();
  });

  it("keeps its tables whole whatever stands in a cell", () => {
    expect(table(["a", "b"], [["x | y", ""]])).toBe("| a      | b   |\n| ------ | --- |\n| x \\| y |     |");
  });
});

describe("the results", () => {
  it("hold every figure with its goal, and say what fell short", () => {
    const content = contentOf(first, levelOf("q2_k", { 3: { light: "off" }, 4: { light: "off" } }));
    const { figures } = JSON.parse(JSON.stringify(resultsOf(content)));
    const light = figures.find(
      ({ name }: { name: string }) => name === "q8_0 · One picture, 5x5 patches · light",
    );
    expect(light).toMatchObject({ value: 0.99, unit: "share", goal: 0.99, ok: true, samples: 100 });
    expect(shortOf(content)).toEqual(["q8_0 · 2 s of sound, 1 thread, p50: 61.0000, not 60"]);
  });
});
