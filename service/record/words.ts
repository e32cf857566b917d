import type { Event, Observation } from "../contract/observation.ts";

/** Words of one query that count; more would only narrow it to nothing. */
const MOST_TERMS = 16;
const WORD = /[\p{L}\p{N}]+/gu;

/** What an observation can be found by: texts, names of what is true, numbers with their names. */
export function wordsOfAnswer(answer: Observation["answer"]): string {
  const words: string[] = [];
  for (const [name, value] of Object.entries(answer)) {
    if (value === true) words.push(name);
    else if (typeof value === "string") words.push(value);
    else if (typeof value === "number") words.push(`${name} ${value}`);
  }
  return words.join("\n");
}

/** What an event can be found by. */
export const wordsOfEvent = (event: Event): string => `${event.title}\n${event.watch}\n${event.rule}`;

/** The words of a text, letters and digits only; the first 16. */
export const termsOf = (text: string): string[] => text.match(WORD)?.slice(0, MOST_TERMS) ?? [];

/**
 * The FTS5 query that wants every word of a text, the last one also as the beginning of a word;
 * undefined where the text has no words. Only letters and digits get through, each word in quotes, so
 * that nothing in it can be taken for the query language.
 */
export function queryFor(text: string): string | undefined {
  const words = termsOf(text);
  return words.length === 0 ? undefined : `${words.map((word) => `"${word}"`).join(" AND ")}*`;
}
