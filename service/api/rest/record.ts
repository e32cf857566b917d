import type { Clock } from "../../kernel/clock.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { Access } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import type { Live } from "../live/live.ts";
import type { Api } from "../server.ts";
import { backupRoutes } from "./backups.ts";
import { eventRoutes } from "./events.ts";
import { Exports } from "./exports.ts";
import { journalRoutes } from "./journals.ts";
import { liveRoutes } from "./live.ts";
import { observationRoutes } from "./observations.ts";
import type { BackupDesk, RecordDesk } from "./record-desk.ts";

/** What the record's routes are of. */
export interface RecordRoutes {
  readonly record: RecordDesk;
  readonly live: Live;
  readonly backups: BackupDesk;
}

interface Options extends RecordRoutes {
  readonly access: Access;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** All that the record is asked by HTTP. */
export function recordRoutes(
  app: Api,
  { record, live, backups, access, audit, clock, logger }: Options,
): void {
  const exports = new Exports(record.node, clock, logger);
  eventRoutes(app, { record, access, audit, exports });
  observationRoutes(app, { record, access, exports });
  liveRoutes(app, { live, access, clock });
  journalRoutes(app, { record, access });
  backupRoutes(app, { backups, node: record.node, access, audit, clock });
}
