import { createReadStream } from "node:fs";
import Type from "typebox";
import { Backup, BackupList } from "../../contract/api-record.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import { sendStreamed } from "../streamed.ts";
import type { BackupDesk } from "./record-desk.ts";

interface Options {
  readonly backups: BackupDesk;
  /** Name of this box, for file names. */
  readonly node: string;
  readonly access: Access;
  readonly audit: Audit;
  readonly clock: Clock;
}

const Params = Type.Object({ id: Type.String({ maxLength: 40 }) });

/** Copies of the record's database: made while it runs, checked, and taken away. */
export function backupRoutes(app: Api, { backups, node, access, audit, clock }: Options): void {
  app.post(
    "/api/backups",
    {
      ...access.guarded("backups"),
      schema: {
        ...described("system", "Begin a backup of the record; GET /api/backups says when it is done"),
        response: { 202: Backup },
      },
    },
    async ({ caller }, reply) => {
      const begun = audit.change(changer(caller), "make a backup", () => backups.begin());
      return reply.code(202).header("location", "/api/backups").send(begun);
    },
  );
  app.get(
    "/api/backups",
    {
      ...access.guarded("backups"),
      schema: { ...described("system", "Backups, the newest first"), response: { 200: BackupList } },
    },
    async () => ({ backups: backups.list() }),
  );
  app.get(
    "/api/backups/:id",
    {
      ...access.guarded("backups"),
      exposeHeadRoute: false,
      schema: { ...described("system", "A backup's file: an SQLite database"), params: Params },
    },
    async ({ params: { id }, caller }, reply) => {
      // It holds all that the box has seen: who takes it away is on record.
      const { path, backup } = audit.change(changer(caller), `take away the backup ${id}`, () =>
        backups.file(id),
      );
      const headers = {
        "content-type": "application/vnd.sqlite3",
        "content-length": backup.bytes ?? 0,
        "content-disposition": `attachment; filename="perch-${node}-${id}.db"`,
        "repr-digest": `sha-256=:${Buffer.from(backup.sha256 ?? "", "hex").toString("base64")}:`,
        "cache-control": "no-store",
      };
      await sendStreamed(reply, headers, createReadStream(path), clock);
    },
  );
  app.delete(
    "/api/backups/:id",
    {
      ...access.guarded("backups"),
      schema: { ...described("system", "Remove a backup"), params: Params, response: { 204: Type.Null() } },
    },
    async ({ params: { id }, caller }, reply) => {
      audit.change(changer(caller), `remove the backup ${id}`, () => backups.remove(id));
      return reply.code(204).send(null);
    },
  );
}
