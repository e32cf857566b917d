import { describe, expect, test } from "vitest";
import { queryFor, wordsOfAnswer } from "../../service/record/words.ts";

describe("what an answer can be found by", () => {
  test("texts, names of what is true, and numbers with their names", () => {
    const words = wordsOfAnswer({ person: true, helmet: false, people: 2, note: "a blue crate" });
    expect(words.split("\n")).toEqual(["person", "people 2", "a blue crate"]);
  });

  test("an answer in which nothing is true or said has no words", () => {
    expect(wordsOfAnswer({ person: false })).toBe("");
  });
});

describe("a query made of a person's text", () => {
  test("wants every word, and lets the last one go on", () => {
    expect(queryFor("blue cra")).toBe('"blue" AND "cra"*');
  });

  test("keeps letters of any script and nothing that the query language knows", () => {
    expect(queryFor('Tür-"OR" NEAR(配管, 2)*')).toBe('"Tür" AND "OR" AND "NEAR" AND "配管" AND "2"*');
  });

  test("a text without words asks for nothing", () => {
    expect(queryFor(' "*()^: \u0000 ')).toBeUndefined();
  });
});
