import { createRequire } from "node:module";
import type Sqlite from "better-sqlite3";

/** First Node-API version that better-sqlite3 13 works with; Node 20 has an earlier one. */
const NODE_API = 10;

/**
 * SQLite as better-sqlite3 binds it. Its version 13 crashes on Node 20, and version 12 on Node 24.19 and later, whose
 * headers make it abort when a statement is collected: each Node gets the one that runs on it. Why: docs/decisions/sqlite.md.
 */
export const Database: typeof Sqlite = createRequire(import.meta.url)(
  Number(process.versions.napi) >= NODE_API ? "better-sqlite3" : "better-sqlite3-node20",
);
export type Database = Sqlite.Database;
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = Sqlite.Statement<
  Parameters,
  Row
>;
