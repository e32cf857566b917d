import { describe, expect, it } from "vitest";
import { WORDS } from "../../service/api/home/script-words.ts";

interface Words {
  length(ms: number): string;
  ago(at: number, now: number): string;
  answerText(answer: Record<string, boolean | number | string>): string;
  partName(name: string): string;
}
const words = new Function(`${WORDS}; return { length, ago, answerText, partName }`)() as Words;
const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];

describe("the words of the front page", () => {
  it.each([
    [-5, "0 s"],
    [12.4 * SECOND, "12 s"],
    [59.6 * SECOND, "1 min"],
    [119 * MINUTE, "1 h 59 min"],
    [47 * HOUR, "47 h"],
    [49 * HOUR, "2 days"],
  ])("say that %d ms are %s", (ms, text) => expect(words.length(ms)).toBe(text));

  it.each([
    [-HOUR, "just now"],
    [4 * SECOND, "just now"],
    [5 * SECOND, "5 s ago"],
    [HOUR - 1, "1 h ago"],
    [23.9 * HOUR, "23 h ago"],
  ])("say of something %d ms ago: %s", (by, text) => expect(words.ago(1e12 - by, 1e12)).toBe(text));

  it("name the day of what is older", () => {
    const at = new Date(2026, 2, 4, 9, 7).getTime();
    expect(words.ago(at, at + 30 * HOUR)).toMatch(/4/);
    expect(words.ago(at, at + 30 * HOUR)).not.toMatch(/ago/);
  });

  it("write an answer as a person reads it, and a part by what it does", () => {
    expect(words.answerText({ person: true, blinking: false, people: 0, words: "", light: "red" })).toBe(
      "person yes · blinking no · people 0 · light red",
    );
    expect([words.partName("engine"), words.partName("sensors")]).toEqual(["Model", "Sensors"]);
  });
});
