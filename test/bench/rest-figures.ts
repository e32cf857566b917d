import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type ClientRequest, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import autocannon from "autocannon";
import type { Figure } from "./figure.ts";
import { fill } from "./rest-rows.ts";

/** Rows of each table: a million together. */
const ROWS = 500_000;
/** As autocannon has it unless told otherwise. */
const CONNECTIONS = 10;
const SECONDS = 10;
const WARM_UP = 1;
const GOAL_MS = 20;
const CLIENTS = 200;
const GOAL_BYTES = 30e6;
const WRITES = 200;

/** What is asked, each with another place or word every time. */
const ASKED: Record<string, (n: number) => string> = {
  "a page": () => "/api/events",
  "a page of a watch, anywhere": (n) => `/api/events?watch=line&until=${day(n)}`,
  "a page of unacknowledged alarms": (n) => `/api/events?severity=alarm&acknowledged=false&until=${day(n)}`,
  "search: a word in every row": () => "/api/events?q=station",
  "search: two common words": (n) => `/api/events?q=${["blue", "green"][n % 2]}%20crate`,
  "search: a rare word": () => "/api/events?q=unicorn",
  "search: the beginning of a common word": (n) => `/api/events?q=${["bl", "sta", "tro", "wa"][n % 4]}`,
  "search: a number and a watch": (n) => `/api/events?q=${n % 1000}&watch=door`,
  "observations, search": (n) => `/api/observations?q=${["helmet", "pallet"][n % 2]}%20blocks`,
};
const day = (n: number) => new Date(Date.now() - (n % 5) * 86_400_000).toISOString();

/** The record's API over a million rows, in a process of its own; asked from this one. */
export async function restFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-rest-"));
  try {
    fill(folder, ROWS);
    const figures = await served(folder, async (service) => {
      const found: Figure[] = [];
      for (const [what, path] of Object.entries(ASKED)) found.push(...(await latency(service, what, path)));
      return found;
    });
    // A process that has been asked nothing yet has no room left over from that.
    return [...figures, ...(await served(folder, followers))];
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Service {
  readonly url: string;
  readonly token: string;
  ask<T>(message: object): Promise<T>;
}

async function served<T>(folder: string, use: (service: Service) => Promise<T>): Promise<T> {
  const child = fork(join(import.meta.dirname, "rest-served.ts"), [folder], {
    execArgv: ["--expose-gc", "--import", "tsx"],
  });
  const over = once(child, "exit");
  const answer = async <A>() => {
    const [message] = await Promise.race([once(child, "message"), over.then(ended)]);
    return message as A;
  };
  try {
    const where = await answer<{ url: string; token: string }>();
    const ask = <A>(message: object) => {
      child.send(message);
      return answer<A>();
    };
    return await use({ ...where, ask });
  } finally {
    if (child.connected) child.disconnect();
    await over;
  }
}

async function latency(
  { url, token, ask }: Service,
  what: string,
  path: (n: number) => string,
): Promise<Figure[]> {
  let asked = 0;
  const fire = (duration: number) =>
    autocannon({
      url,
      connections: CONNECTIONS,
      duration,
      headers: { authorization: `Bearer ${token}` },
      // By one count for all connections: they do not ask for the same at the same time.
      requests: [
        {
          setupRequest: (request) => {
            asked += 1;
            return { ...request, path: path(asked) };
          },
        },
      ],
    });
  await fire(WARM_UP);
  const before = await ask<{ cpu: number }>({});
  const { latency, errors, non2xx, "2xx": answered } = await fire(SECONDS);
  const { cpu } = await ask<{ cpu: number }>({});
  if (errors + non2xx > 0) throw new Error(`${what}: ${errors} connections failed, ${non2xx} were refused`);
  const own = (cpu - before.cpu) / answered;
  return [
    { name: `${what}, processor time`, value: own, unit: "ms", goal: null, ok: true },
    { name: `${what}, p50`, value: latency.p50, unit: "ms", goal: null, ok: true },
    { name: `${what}, p99`, value: latency.p99, unit: "ms", goal: GOAL_MS, ok: latency.p99 < GOAL_MS },
  ];
}

/** Memory of clients that follow live and are told nothing, and what one event for all of them takes. */
async function followers({ url, token, ask }: Service): Promise<Figure[]> {
  // The first round is for what is loaded and grown once.
  await ask({ write: WRITES });
  const alone = await ask<{ cpu: number }>({ write: WRITES });
  const before = await ask<{ bytes: number }>({ memory: true });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => follow(url, token)));
  const after = await ask<{ bytes: number }>({ memory: true });
  const followed = await ask<{ cpu: number }>({ write: WRITES });
  for (const client of clients) client.destroy();
  const bytes = after.bytes - before.bytes;
  return [
    {
      name: `memory of ${CLIENTS} clients that follow live`,
      value: bytes / 1e6,
      unit: "MB",
      goal: GOAL_BYTES / 1e6,
      ok: bytes < GOAL_BYTES,
    },
    {
      name: `processor time of an event for ${CLIENTS} clients`,
      value: (followed.cpu - alone.cpu) / WRITES,
      unit: "ms",
      goal: null,
      ok: true,
    },
  ];
}

/** Resolves when it has said hello. */
function follow(url: string, token: string): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = get(`${url}/api/live`, { agent: new Agent(), headers }, (response) => {
      response.once("data", () => resolve(request)).resume();
    });
    request.on("error", reject);
  });
}

function ended(): never {
  throw new Error("the service ended");
}
