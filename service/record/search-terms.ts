import type Database from "better-sqlite3";
import { queryFor, termsOf } from "./words.ts";

/** Words that begin alike and are asked for one by one; of more, SQLite looks for the beginning itself. */
const MOST_LIKE = 500;

/**
 * The FTS5 query of `queryFor`, in a form that is answered at once: for a beginning of a word FTS5 puts together all
 * rows of all words that begin so before it gives the first (50 ms in a million rows), while of whole words joined
 * by OR it gives the newest rows as it finds them. So the words that begin so are looked up first.
 */
export function expandedQuery(
  db: Database.Database,
  table: "observation_words" | "event_words",
  text: string,
): string | undefined {
  const [last, ...before] = termsOf(text).toReversed();
  if (last === undefined) return undefined;
  const beginning = folded(last);
  const like = beginning === undefined ? [] : wordsThatBegin(db, table, beginning);
  // None: the index has no such word, and SQLite's own look costs nothing.
  if (like.length === 0 || like.length > MOST_LIKE) return queryFor(text);
  const any = like.map((word) => `"${word}"`).join(" OR ");
  return [...before.toReversed().map((word) => `"${word}"`), `(${any})`].join(" AND ");
}

/** At most one more than MOST_LIKE. */
function wordsThatBegin(db: Database.Database, table: string, beginning: string): string[] {
  const vocabulary = `temp.vocabulary_of_${table}`;
  db.exec(`CREATE VIRTUAL TABLE IF NOT EXISTS ${vocabulary} USING fts5vocab(main, ${table}, instance)`);
  const next = db.prepare<[string], string>(`SELECT term FROM ${vocabulary} WHERE term >= ? LIMIT 1`).pluck();
  const words: string[] = [];
  for (let from = beginning; words.length <= MOST_LIKE; ) {
    const word = next.get(from);
    if (word === undefined || !word.startsWith(beginning)) break;
    words.push(word);
    // The next word in order: asking for one above it would walk through every place of this one.
    from = `${word}\u0000`;
  }
  return words;
}

/** As the index holds it; undefined where that is not surely known: FTS5 folds some letters in a way of its own. */
function folded(word: string): string | undefined {
  const plain = word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return /^[a-z0-9]+$/.test(plain) ? plain : undefined;
}
