import type { Database, Statement } from "../kernel/sqlite.ts";
import { queryFor, termsOf } from "./words.ts";

/** Words that begin alike and are asked for one by one; of more, SQLite looks for the beginning itself. */
const MOST_LIKE = 500;

/**
 * Makes queries of what people look for, in a form that is answered at once: for a beginning of a word FTS5 puts
 * together all rows of all words that begin so before it gives the first (50 ms in a million rows), while of whole
 * words joined by OR it gives the newest rows as it finds them. So the words that begin so are looked up first.
 */
export class SearchTerms {
  private next: Statement<[string], string> | undefined;

  constructor(
    private readonly db: Database,
    private readonly table: "observation_words" | "event_words",
  ) {}

  /** The FTS5 query that `queryFor` makes, or one that finds the same; undefined where the text has no words. */
  query(text: string): string | undefined {
    const [last, ...before] = termsOf(text).toReversed();
    if (last === undefined) return undefined;
    const beginning = folded(last);
    const like = beginning === undefined ? [] : this.wordsThatBegin(beginning);
    // None: the index has no such word, and SQLite's own look costs nothing.
    if (like.length === 0 || like.length > MOST_LIKE) return queryFor(text);
    const any = like.map((word) => `"${word}"`).join(" OR ");
    return [...before.toReversed().map((word) => `"${word}"`), `(${any})`].join(" AND ");
  }

  /** At most one more than MOST_LIKE. */
  private wordsThatBegin(beginning: string): string[] {
    this.next ??= this.vocabulary();
    const words: string[] = [];
    for (let from = beginning; words.length <= MOST_LIKE; ) {
      const word = this.next.get(from);
      if (word === undefined || !word.startsWith(beginning)) break;
      words.push(word);
      // The next word in order: asking for one above it would walk through every place of this one.
      from = `${word}\u0000`;
    }
    return words;
  }

  /** Only where it is searched: whoever opens the record for something else needs none. */
  private vocabulary(): Statement<[string], string> {
    const name = `temp.vocabulary_of_${this.table}`;
    this.db.exec(`CREATE VIRTUAL TABLE IF NOT EXISTS ${name} USING fts5vocab(main, ${this.table}, instance)`);
    return this.db.prepare<[string], string>(`SELECT term FROM ${name} WHERE term >= ? LIMIT 1`).pluck();
  }
}

/** As the index holds it; undefined where that is not surely known: FTS5 folds some letters in a way of its own. */
function folded(word: string): string | undefined {
  const plain = word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return /^[a-z0-9]+$/.test(plain) ? plain : undefined;
}
