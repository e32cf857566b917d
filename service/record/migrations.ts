import { PerchError } from "../kernel/errors.ts";
import type { Database } from "../kernel/sqlite.ts";

/**
 * The database's form, one step a version: a step that was released is never changed, a new one is
 * added. Times are epoch ms. `user_version` says how many steps a file has had.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE observation (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    node TEXT NOT NULL,
    watch TEXT NOT NULL,
    feeds TEXT NOT NULL,
    captured INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    answer TEXT NOT NULL,
    provenance TEXT NOT NULL
  ) STRICT;
  CREATE INDEX observation_captured ON observation (captured);
  CREATE INDEX observation_watch ON observation (watch, captured);

  -- The current state of each event; its messages go through the outbox.
  CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sequence INTEGER NOT NULL,
    node TEXT NOT NULL,
    watch TEXT NOT NULL,
    rule TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('start', 'update', 'end')),
    started INTEGER NOT NULL,
    at INTEGER NOT NULL,
    ended INTEGER,
    reason TEXT,
    observation TEXT NOT NULL,
    answer TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_started ON event (started);
  CREATE INDEX event_watch ON event (watch, started);
  CREATE INDEX event_open ON event (started) WHERE phase <> 'end';
  CREATE INDEX event_over ON event (at) WHERE phase = 'end';

  CREATE TABLE thumbnail (
    event INTEGER PRIMARY KEY REFERENCES event (number) ON DELETE CASCADE,
    jpeg BLOB NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;

  -- AUTOINCREMENT: an id that was acknowledged and removed never comes again.
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires INTEGER NOT NULL CHECK (expires IN (0, 1))
  ) STRICT;
  CREATE INDEX outbox_expires ON outbox (at) WHERE expires = 1;

  -- Which batch was committed last, to tell a commit that failed from one that only said so.
  CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), batch TEXT NOT NULL) STRICT;
  INSERT INTO progress VALUES (1, '');

  CREATE VIRTUAL TABLE observation_words USING fts5 (words, content = '', contentless_delete = 1);
  CREATE VIRTUAL TABLE event_words USING fts5 (words, content = '', contentless_delete = 1);
  `,
  `
  -- What the governor decided, and what it saw.
  CREATE TABLE decision (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    level TEXT,
    pace REAL NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    next TEXT,
    hottest REAL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    free TEXT NOT NULL
  ) STRICT;
  CREATE INDEX decision_at ON decision (at);

  -- What each level took of memory when it was loaded last.
  CREATE TABLE load (
    ladder TEXT NOT NULL,
    level TEXT NOT NULL,
    model TEXT NOT NULL,
    context INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    kv TEXT NOT NULL,
    gpu_layers INTEGER NOT NULL,
    needs TEXT NOT NULL,
    ms INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (ladder, level)
  ) STRICT;
  `,
  `
  -- Who changed what, or was refused to.
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT,
    "from" TEXT NOT NULL,
    what TEXT NOT NULL,
    outcome TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_at ON audit (at);
  `,
  `
  -- Who took note of an event.
  ALTER TABLE event ADD COLUMN acknowledged INTEGER;
  ALTER TABLE event ADD COLUMN acknowledged_by TEXT;
  ALTER TABLE event ADD COLUMN note TEXT;
  CREATE INDEX event_rule ON event (rule, started);
  CREATE INDEX event_severity ON event (severity, started);
  CREATE INDEX event_acknowledged ON event (started) WHERE acknowledged IS NOT NULL;
  CREATE INDEX event_unacknowledged ON event (started) WHERE acknowledged IS NULL;

  -- What changed, in the order of commits, for those who follow it: an event as it was then, or an observation.
  -- AUTOINCREMENT: a number that was told never comes again.
  CREATE TABLE change (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL
      CHECK (kind IN ('start', 'update', 'end', 'acknowledged', 'unacknowledged', 'observation')),
    watch TEXT NOT NULL,
    event TEXT,
    observation INTEGER
  ) STRICT;
  `,
];

/** The database's version; throws PerchError DATA_NEWER where a later Perch wrote it. */
export function versionOf(db: Database, known = MIGRATIONS.length): number {
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version > known)
    throw new PerchError(
      "DATA_NEWER",
      `${db.name} is version ${version}, written by a newer Perch; this one knows up to ${known}: install that newer Perch again, or use another data folder`,
    );
  return version;
}

/** Brings the database to the latest version, each step in a transaction of its own. */
export function migrate(db: Database, steps: readonly string[] = MIGRATIONS): void {
  for (let version = versionOf(db, steps.length); version < steps.length; version += 1) {
    const step = steps[version] ?? "";
    db.transaction(() => {
      db.exec(step);
      db.pragma(`user_version = ${version + 1}`);
    }).immediate();
  }
}
