import type { AuditRow } from "../contract/access.ts";
import type { DecisionRow, LoadTaken } from "../contract/decision.ts";
import type { Event, Observation } from "../contract/observation.ts";
import { observationTopic } from "../contract/topics.ts";
import type { Database } from "../kernel/sqlite.ts";
import { ChangeRows } from "./change-rows.ts";
import type { Entry } from "./entry.ts";
import type { OutboxRow } from "./outbox-row.ts";
import { type AcknowledgedColumns, acknowledgedOf } from "./row-forms.ts";
import { wordsOfAnswer, wordsOfEvent } from "./words.ts";

/** Every statement that writes, and the outbox's reading. Transactions are the caller's. */
export class Rows {
  private readonly changes: ChangeRows;
  private readonly insertObservation;
  private readonly insertObservationWords;
  private readonly findEvent;
  private readonly insertEvent;
  private readonly insertEventWords;
  private readonly updateEvent;
  private readonly insertThumbnail;
  private readonly insertMessage;
  private readonly deleteMessage;
  private readonly selectMessages;
  private readonly countMessages;
  private readonly insertDecision;
  private readonly replaceLoad;
  private readonly insertAudit;
  private readonly setProgress;
  private readonly getProgress;

  constructor(db: Database) {
    this.changes = new ChangeRows(db);
    this.insertObservation = db.prepare(
      `INSERT INTO observation (id, node, watch, feeds, captured, answered, answer, provenance)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.insertObservationWords = db.prepare("INSERT INTO observation_words (rowid, words) VALUES (?, ?)");
    this.findEvent = db.prepare<[string], { sequence: number } & AcknowledgedColumns>(
      "SELECT sequence, acknowledged, acknowledged_by, note FROM event WHERE id = ?",
    );
    this.insertEvent = db.prepare(
      `INSERT INTO event (sequence, node, watch, rule, title, severity, phase, started, at, ended, reason,
         observation, answer, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.insertEventWords = db.prepare("INSERT INTO event_words (rowid, words) VALUES (?, ?)");
    this.updateEvent = db.prepare(
      `UPDATE event SET sequence = ?, node = ?, watch = ?, rule = ?, title = ?, severity = ?, phase = ?,
         started = ?, at = ?, ended = ?, reason = ?, observation = ?, answer = ? WHERE id = ?`,
    );
    // The first picture of an event stays: the last one would show that nothing is there any more.
    this.insertThumbnail = db.prepare(
      "INSERT OR IGNORE INTO thumbnail (event, jpeg, at) SELECT number, ?, ? FROM event WHERE id = ?",
    );
    this.insertMessage = db.prepare("INSERT INTO outbox (topic, payload, at, expires) VALUES (?, ?, ?, ?)");
    this.deleteMessage = db.prepare("DELETE FROM outbox WHERE id = ?");
    this.selectMessages = db.prepare<[number, number], OutboxRow>(
      "SELECT id, topic, payload, at FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
    );
    this.countMessages = db.prepare<[], number>("SELECT count(*) FROM outbox").pluck();
    this.insertDecision = db.prepare(
      `INSERT INTO decision (at, level, pace, reason, text, next, hottest, simulated, free)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.replaceLoad = db.prepare(
      `INSERT OR REPLACE INTO load (ladder, level, model, context, slots, kv, gpu_layers, needs, ms, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.insertAudit = db.prepare(
      `INSERT INTO audit (at, who, role, "from", what, outcome) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.setProgress = db.prepare("UPDATE progress SET batch = ?");
    this.getProgress = db.prepare<[], string>("SELECT batch FROM progress").pluck();
  }

  /**
   * Writes an entry; `at` is the time of the commit, epoch ms. Answers how many messages it put into the outbox: an
   * acknowledgement that changes nothing has none.
   */
  write(entry: Entry, at: number): number {
    if (entry.observation) this.writeObservation(entry.observation, at);
    for (const event of entry.events) this.writeEvent(event, at);
    if (entry.thumbnail) this.writeThumbnail(entry.events, entry.thumbnail, at);
    if (entry.decision) this.writeDecision(entry.decision);
    if (entry.load) this.writeLoad(entry.load);
    if (entry.audit) this.writeAudit(entry.audit);
    if (entry.acknowledgement && !this.changes.acknowledge(entry.acknowledgement, at)) return 0;
    const passing = entry.observation && observationTopic("", entry.observation.watch);
    for (const { topic, payload } of entry.messages) {
      const expires = passing !== undefined && topic.endsWith(passing) ? 1 : 0;
      this.insertMessage.run(topic, payload, at, expires);
    }
    return entry.messages.length;
  }

  /** Keeps a picture with those of the events that exist and have none yet. */
  writeThumbnail(events: readonly { readonly id: string }[], jpeg: Buffer, at: number): void {
    for (const { id } of events) this.insertThumbnail.run(jpeg, at, id);
  }

  /** Takes messages out of the outbox; answers how many were there. */
  acknowledge(ids: readonly number[]): number {
    let removed = 0;
    for (const id of ids) removed += this.deleteMessage.run(id).changes;
    return removed;
  }

  messages(after: number, limit: number): OutboxRow[] {
    return this.selectMessages.all(after, limit);
  }

  pending(): number {
    return this.countMessages.get() ?? 0;
  }

  /** Name of the batch that was committed last. */
  get progress(): string {
    return this.getProgress.get() ?? "";
  }

  set progress(batch: string) {
    this.setProgress.run(batch);
  }

  private writeObservation(observation: Observation, at: number): void {
    const { id, node, watch, feeds, captured, answered, answer, provenance } = observation;
    const { lastInsertRowid } = this.insertObservation.run(
      id,
      node,
      watch,
      JSON.stringify(feeds),
      Date.parse(captured),
      Date.parse(answered),
      JSON.stringify(answer),
      JSON.stringify(provenance),
    );
    const words = wordsOfAnswer(answer);
    if (words !== "") this.insertObservationWords.run(lastInsertRowid, words);
    this.changes.observation(lastInsertRowid, watch, at);
  }

  private writeEvent(event: Event, at: number): void {
    const values = [
      event.sequence,
      event.node,
      event.watch,
      event.rule,
      event.title,
      event.severity,
      event.phase,
      Date.parse(event.started),
      Date.parse(event.at),
      event.ended === null ? null : Date.parse(event.ended),
      event.reason ?? null,
      event.observation,
      JSON.stringify(event.answer),
      event.id,
    ];
    const known = this.findEvent.get(event.id);
    if (known === undefined) {
      const { lastInsertRowid } = this.insertEvent.run(values);
      this.insertEventWords.run(lastInsertRowid, wordsOfEvent(event));
    } else if (event.sequence > known.sequence) this.updateEvent.run(values);
    else return;
    this.changes.event(event, known ? acknowledgedOf(known) : null, at);
  }

  private writeDecision(decision: DecisionRow): void {
    const { at, level, pace, reason, text, next, hottest, simulated, free } = decision;
    const values = [Math.round(at), level, pace, reason, text, next, hottest, Number(simulated)];
    this.insertDecision.run(...values, JSON.stringify(free));
  }

  /** Inserts one row, in a transaction of the caller's or one of its own. */
  writeAudit({ at, who, role, from, what, outcome }: AuditRow): void {
    this.insertAudit.run(Math.round(at), who, role, from, what, outcome);
  }

  private writeLoad({ ladder, level, model, context, slots, kv, gpuLayers, needs, ms, at }: LoadTaken): void {
    const values = [ladder, level, model, context, slots, kv, gpuLayers, JSON.stringify(needs)];
    this.replaceLoad.run(...values, Math.round(ms), Math.round(at));
  }
}
