import { appendFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { styleText } from "node:util";
import { Appliance, type Places } from "../appliance.ts";
import { loadForBoth } from "../config/config.ts";
import { parseDuration } from "../contract/units.ts";
import { systemClock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { createLogger, type Logger } from "../kernel/logger.ts";
import { eventPrinter } from "../terminal.ts";
import { UsageError, version } from "./usage.ts";

interface Options {
  readonly config: string;
  /** As written: "60s". */
  readonly for?: string;
  /** File for the report. */
  readonly report?: string;
}

/** `perch run`: watches until a signal comes or the time is over. Resolves to the exit code. */
export async function run(options: Options): Promise<number> {
  const duration = options.for === undefined ? undefined : parseDuration(options.for);
  if (options.for !== undefined && duration === undefined) {
    throw new UsageError(`--for ${options.for}: must be a duration like 60s, 5m or 8h`);
  }
  if (options.report !== undefined) refuseUnwritable(options.report);
  const { config, shown } = loadForBoth(options.config);
  const logger = createLogger(config.log);
  const source = { file: resolve(options.config), shown };
  const appliance = new Appliance({ config, source, logger, version, onEvent: eventPrinter(logger) });
  const end = endOf(duration, logger);

  logger.info(`Perch ${version} starts with ${options.config}`);
  await appliance.start(end.signal);
  showPlaces(appliance.places(), logger);
  showSetup(appliance.places().setup, logger);
  appliance.ready(end.signal).then(
    () => logger.info("the model answers; events follow"),
    (error: unknown) => logger.debug(`the model was not ready: ${messageOf(error)}`),
  );
  await end.reached;
  logger.info("stopping");
  await appliance.stop();
  if (options.report !== undefined) {
    writeFileSync(options.report, `${JSON.stringify(await appliance.report(), null, 2)}\n`);
    logger.info(`report written to ${options.report}`);
  }
  return 0;
}

/** Better now than after a run of hours. */
function refuseUnwritable(report: string): void {
  try {
    appendFileSync(report, "");
  } catch (error) {
    throw new UsageError(`--report ${report} cannot be written: ${messageOf(error)}`);
  }
}

/** The end of a run: a signal, or the time that was given. A second signal exits at once. */
function endOf(
  duration: number | undefined,
  logger: Logger,
): { signal: AbortSignal; reached: Promise<void> } {
  const ended = new AbortController();
  const reached = new Promise<void>((resolve) => ended.signal.addEventListener("abort", () => resolve()));
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (ended.signal.aborted) {
        logger.warn(`${name} again: leaving at once`);
        process.exit(130);
      }
      ended.abort();
    });
  }
  if (duration !== undefined) systemClock.after(duration, () => ended.abort());
  // Keeps the process alive where no part has a socket open.
  const alive = setInterval(() => undefined, 2 ** 31 - 1);
  ended.signal.addEventListener("abort", () => clearInterval(alive));
  return { signal: ended.signal, reached };
}

function showPlaces(places: Places, logger: Logger): void {
  const rows: [string, string | undefined][] = [
    ["page", places.page],
    ["health", places.health],
    ["broker", places.broker],
    ["topics", places.topics],
    ["database", places.database],
  ];
  for (const [name, place] of rows) logger.info(`${name.padEnd(8)} ${place ?? "not reachable, see above"}`);
}

/** The one link by which this box gets its first admin: on a terminal only, for what is logged is kept and read by others. */
function showSetup(link: string | undefined, logger: Logger): void {
  if (link === undefined) return;
  if (process.stderr.isTTY !== true) {
    logger.info("this box has no administrator yet: perch user add NAME --role admin makes one");
    return;
  }
  process.stderr.write(`
  This box has no administrator yet. Open this link in a browser, once and within 24 hours:

      ${styleText(["bold", "underline"], link)}

  Or make the account here: perch user add NAME --role admin

`);
}
