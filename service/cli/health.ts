import { isLoopback } from "../api/access/hosts.ts";
import { loadConfig } from "../config/config.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Health } from "../kernel/part.ts";
import { RunningService } from "./service.ts";

/** Ms that an answer may take. */
const PATIENCE = 4_000;

interface Options {
  readonly config: string;
  /** Only whether it runs. */
  readonly live?: boolean;
  readonly json?: boolean;
}

interface Ready {
  readonly status: string;
  readonly parts: Record<string, Health>;
}

/**
 * `perch health`: asks the running service where and how its configuration says, TLS and token included. 0 where it
 * does its work, else 1, with what does not.
 */
export async function health({ config, live, json }: Options): Promise<number> {
  const loaded = loadConfig(config, () => undefined);
  const service = new RunningService(loaded);
  // On loopback anybody on the box may ask, and not everybody may read the token.
  const token = !live && !isLoopback(loaded.http.host);
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await service.ask(live ? "/health/live" : "/health/ready", { token, signal });
  const said = readyIn(await answer.text(), service.url);
  if (json) process.stdout.write(`${JSON.stringify(said, null, 2)}\n`);
  else if (said.error !== undefined) process.stderr.write(`perch: ${said.error}\n`);
  else process.stdout.write(`${said.status}\n${partsOf(said.parts ?? {})}`);
  return answer.ok ? 0 : 1;
}

function readyIn(text: string, url: string): Partial<Ready> & { readonly error?: string } {
  try {
    return JSON.parse(text) as Partial<Ready>;
  } catch (error) {
    throw new PerchError("SERVICE_UNREACHABLE", `something else than Perch answers at ${url}`, error);
  }
}

/** Only those about which there is something to say. */
function partsOf(parts: Record<string, Health>): string {
  return Object.entries(parts)
    .filter(([, { state }]) => state !== "ok")
    .map(([name, { state, reason }]) => `  ${name}: ${state}${reason === undefined ? "" : `, ${reason}`}\n`)
    .join("");
}
