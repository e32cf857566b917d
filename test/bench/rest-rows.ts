import { silentLogger } from "../../service/kernel/logger.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { Store } from "../../service/record/store.ts";
import { wordsOfAnswer, wordsOfEvent } from "../../service/record/words.ts";
import { event, observation } from "../support/record-entries.ts";

const STEP = 10_000;
const COLOURS = ["blue", "green", "black", "yellow", "red"];
const THINGS = ["crate", "ladder", "helmet", "pallet", "glove", "forklift", "spill", "trolley"];
const SEVERITIES = ["info", "info", "info", "info", "warning", "warning", "warning", "alarm"] as const;
const WATCHES = ["door", "line", "ramp", "hall", "yard"];

/** The answer of the n-th observation: common words, some of each thousandth, and one that stands once in all. */
const noteOf = (n: number, count: number) =>
  `a ${COLOURS[n % 5]} ${THINGS[(n * 7) % 8]} blocks the way at station ${n % 1000}${n === count >> 1 ? " unicorn" : ""}`;

/** Fills a folder with a record of so many observations and as many events, one a second until now. */
export function fill(folder: string, count: number): void {
  Store.open(folder).close(silentLogger);
  const db = new Database(`${folder}/perch.db`);
  db.pragma("synchronous = OFF");
  db.pragma("cache_size = -200000");
  const seen = db.prepare(
    `INSERT INTO observation (id, node, watch, feeds, captured, answered, answer, provenance)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const happened = db.prepare(
    `INSERT INTO event (id, sequence, node, watch, rule, title, severity, phase, started, at, ended, reason,
       observation, answer, acknowledged) VALUES (?, 2, ?, ?, ?, ?, ?, 'end', ?, ?, ?, NULL, ?, ?, ?)`,
  );
  const words = db.prepare("INSERT INTO observation_words (rowid, words) VALUES (?, ?)");
  const titles = db.prepare("INSERT INTO event_words (rowid, words) VALUES (?, ?)");
  const begin = Date.now() - count * 1000;
  const one = (n: number) => {
    const at = begin + n * 1000;
    const watch = WATCHES[n % 5] ?? "door";
    const note = noteOf(n, count);
    const { id, node, feeds, answer, provenance } = observation(`o${n}`, { answer: { person: true, note } });
    const text = JSON.stringify(answer);
    seen.run(id, node, watch, JSON.stringify(feeds), at, at + 900, text, JSON.stringify(provenance));
    words.run(n + 1, wordsOfAnswer(answer));
    const told = event(`e${n}`, { watch, title: note, rule: `rule-${n % 20}` });
    const severity = SEVERITIES[n % 8] ?? "info";
    const acknowledged = n % 3 === 0 ? at : null;
    happened.run(told.id, node, watch, told.rule, note, severity, at, at, at, id, text, acknowledged);
    titles.run(n + 1, wordsOfEvent(told));
  };
  for (let n = 0; n < count; n += STEP)
    db.transaction(() => {
      for (let k = n; k < Math.min(count, n + STEP); k += 1) one(k);
    })();
  db.close();
}
