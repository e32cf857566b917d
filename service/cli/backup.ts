import { loadConfig } from "../config/config.ts";
import type { Backup } from "../contract/api-record.ts";
import type { Config } from "../contract/config.ts";
import { bytesText } from "../contract/units.ts";
import { PerchError } from "../kernel/errors.ts";
import { BackupShelf } from "../record/backup-shelf.ts";
import { fetchBackup } from "./backup-fetch.ts";
import { restore } from "./backup-restore.ts";
import { Patience } from "./patience.ts";
import { RunningService, refusalOf } from "./service.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What to do, and with which: `remove 20261103T080000000Z`. */
  readonly words: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

const ACTIONS = ["create", "list", "fetch", "remove", "restore"] as const;
type Action = (typeof ACTIONS)[number];

/** Ms between two looks at how far one is. */
const LOOK = 300;
/** What a shell takes for "ended by Ctrl-C". */
const INTERRUPTED = 130;

/** `perch backup`: copies of the record, by the running service; and puts one back while none runs. Resolves to the exit code. */
export async function backup(options: Options): Promise<number> {
  const [action, which] = wordsOf(options);
  const config = loadConfig(options.config, () => undefined);
  if (action === "restore") return restore(config.data, which);
  if (action === "list") return list(config, options.json ?? false);
  const service = new RunningService(config);
  if (action === "remove") return remove(service, which);
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ended.abort());
  try {
    if (action === "create") return await create(service, options.json ?? false, ended.signal);
    return await fetch(service, { node: config.node, id: which, out: options.out, signal: ended.signal });
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    const later =
      action === "create"
        ? "the service goes on with it: perch backup list"
        : "perch backup fetch goes on with it";
    process.stderr.write(`ended; ${later}\n`);
    return INTERRUPTED;
  }
}

function wordsOf({ words: [word, which, ...more], out, json }: Options): [Action, string] {
  const action = ACTIONS.find((one) => one === word);
  if (!action)
    throw new UsageError(
      `perch backup ${word ?? "what"}? perch backup ${ACTIONS.join(", ")}; perch backup --help`,
    );
  if (more.length > 0 || (which !== undefined && (action === "create" || action === "list")))
    throw new UsageError(`perch backup ${action} does not take "${more[0] ?? which}"`);
  if (json !== undefined && action !== "create" && action !== "list")
    throw new UsageError("--json belongs to perch backup create and list");
  if (out !== undefined && action !== "fetch") throw new UsageError("--out belongs to perch backup fetch");
  if (which === undefined && action === "remove")
    throw new UsageError("remove which? perch backup remove ID");
  if (which === undefined && action === "restore")
    throw new UsageError("restore which? perch backup restore FILE");
  return [action, which ?? ""];
}

async function create(service: RunningService, json: boolean, signal: AbortSignal): Promise<number> {
  const { id } = await service.json<Backup>("/api/backups", { method: "POST", signal });
  const patience = new Patience();
  let made = await oneOf(service, id, signal);
  while (made.state === "running") {
    patience.show(stepText(made));
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    made = await oneOf(service, id, signal);
  }
  patience.over();
  if (made.state === "failed")
    throw new PerchError("PROCESS_FAILED", `the backup ${id} failed: ${made.fault}`);
  process.stdout.write(json ? `${JSON.stringify(made)}\n` : `${line(made)}\n`);
  return 0;
}

/** Copied it is long before it is checked and on the disk. */
const stepText = ({ id, progress }: Backup): string =>
  progress < 0.99
    ? `the backup ${id}: ${Math.round(100 * progress)} % copied`
    : `the backup ${id} is being checked`;

async function oneOf(service: RunningService, id: string, signal: AbortSignal): Promise<Backup> {
  const found = (await listed(service, signal)).find((one) => one.id === id);
  if (found) return found;
  throw new PerchError(
    "NOT_FOUND",
    `the backup ${id} is gone: the service was restarted, or somebody removed it`,
  );
}

async function listed(service: RunningService, signal?: AbortSignal): Promise<Backup[]> {
  return (await service.json<{ backups: Backup[] }>("/api/backups", signal ? { signal } : {})).backups;
}

/** From the service, or, where none runs, from the folder: then a backup is most wanted. */
async function list(config: Config, json: boolean): Promise<number> {
  const found = await listedAnyhow(config);
  if (json) process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else if (found.length === 0) process.stdout.write("there are no backups; perch backup create makes one\n");
  for (const one of json ? [] : found) process.stdout.write(`${line(one)}\n`);
  return 0;
}

async function listedAnyhow(config: Config): Promise<Backup[]> {
  const service = config.http.port === 0 ? undefined : new RunningService(config);
  if (service && (await service.lives())) return listed(service);
  process.stderr.write(`no service answers; these lie in ${config.data}\n`);
  return new BackupShelf(config.data).list();
}

async function remove(service: RunningService, id: string): Promise<number> {
  const response = await service.ask(`/api/backups/${encodeURIComponent(id)}`, { method: "DELETE" });
  if (!response.ok) throw await refusalOf(response);
  process.stdout.write(`the backup ${id} is removed\n`);
  return 0;
}

async function fetch(
  service: RunningService,
  { node, id, out, signal }: { node: string; id: string; out: string | undefined; signal: AbortSignal },
): Promise<number> {
  const done = (await listed(service, signal)).filter(({ state }) => state === "done");
  const found = id === "" ? done[0] : done.find((one) => one.id === id);
  if (!found)
    throw new PerchError(
      "NOT_FOUND",
      id === ""
        ? "there is no backup yet: perch backup create makes one"
        : `there is no finished backup ${id}: perch backup list shows those that there are`,
    );
  const { bytes, sha256 } = found;
  if (bytes === null || sha256 === null)
    throw new PerchError("NOT_FOUND", `the backup ${found.id} is not finished`);
  const to = out ?? `perch-${node}-${found.id}.db`;
  await fetchBackup(service, { id: found.id, bytes, sha256, to, signal });
  process.stdout.write(`${to}: ${bytesText(bytes)}, sha256 ${sha256}\n`);
  return 0;
}

/** `20261103T080000000Z  2026-11-03 09:00:00  12.3 MB  asked for`. */
function line({ id, at, state, bytes, progress, scheduled, fault }: Backup): string {
  const what = {
    done: bytesText(bytes ?? 0),
    running: `${Math.round(100 * progress)} %`,
    failed: `failed: ${fault}`,
  };
  const when = new Date(at).toLocaleString("sv-SE");
  return `${id}  ${when}  ${scheduled ? "scheduled" : "asked for"}  ${what[state]}`;
}
