import type { FastifyReply } from "fastify";
import Type from "typebox";
import { Backup, BackupList, DownloadHeaders } from "../../contract/api-record.ts";
import type { Clock } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { preconditionOf, type RangeHeaders } from "../byte-range.ts";
import { described } from "../openapi.ts";
import { factsOf, type LastingFile, SentFile } from "../sent-file.ts";
import type { Api } from "../server.ts";
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
export function backupRoutes(app: Api, options: Options): void {
  const { backups, access, audit } = options;
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
  downloadRoutes(app, options);
}

function downloadRoutes(app: Api, { backups, node, access, audit, clock }: Options): void {
  app.get(
    "/api/backups/:id",
    {
      ...access.guarded("backups"),
      exposeHeadRoute: false,
      schema: {
        ...described("system", "A backup's file: an SQLite database, whole or a part of it"),
        params: Params,
        headers: DownloadHeaders,
      },
    },
    async ({ params: { id }, headers, caller }, reply) => {
      const part = headers.range === undefined ? "" : ` (${headers.range})`;
      // It holds all that the box has seen: who takes it away is on record.
      const taken = await audit.change(changer(caller), `take away the backup ${id}${part}`, async () => {
        const found = backups.file(id);
        const file = lasting(found);
        if (notWanted(headers, file, reply)) return undefined;
        return { sent: await SentFile.open(file, headers, reply), backup: found.backup };
      });
      if (taken) await taken.sent.send(reply, namedAs(taken.backup, node), clock);
    },
  );
  app.head(
    "/api/backups/:id",
    {
      ...access.guarded("backups"),
      schema: {
        ...described("system", "How large a backup's file is, and its etag"),
        params: Params,
        headers: DownloadHeaders,
      },
    },
    async ({ params: { id }, headers }, reply) => {
      const found = backups.file(id);
      const file = lasting(found);
      if (notWanted(headers, file, reply)) return;
      return reply
        .headers({ ...namedAs(found.backup, node), ...factsOf(file), "content-length": file.size })
        .send();
    },
  );
}

const lasting = ({ path, backup }: ReturnType<BackupDesk["file"]>): LastingFile => ({
  path,
  size: backup.bytes ?? 0,
  etag: `"${backup.sha256}"`,
});

/** Answers with 304 where the client has it. Throws PRECONDITION_FAILED. */
function notWanted(headers: RangeHeaders, file: LastingFile, reply: FastifyReply): boolean {
  const condition = preconditionOf(headers, file.etag);
  if (condition === "changed")
    throw new PerchError(
      "PRECONDITION_FAILED",
      `this backup is not the one that If-Match names: ${file.etag}`,
    );
  if (condition === "met") return false;
  reply.code(304).headers(factsOf(file)).send();
  return true;
}

const namedAs = ({ id, sha256 }: Backup, node: string) => ({
  "content-type": "application/vnd.sqlite3",
  "content-disposition": `attachment; filename="perch-${node}-${id}.db"`,
  "repr-digest": `sha-256=:${Buffer.from(sha256 ?? "", "hex").toString("base64")}:`,
  "cache-control": "no-store",
});
