import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { ServedGateway } from "../support/api-openai.ts";
import { whereabouts } from "../support/engine-whereabouts.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import type { Carried, Load } from "./api-load.ts";
import { type Figure, median } from "./figure.ts";

const CLIENTS = [1, 4, 16];
/** Many short ones: what else the machine does falls on both sides. */
const ROUNDS = 25;
const REQUESTS = 16;
const GOAL = { share: 0.95, added: 5 };

/**
 * Requests and tokens a second, and the time to the first token, through the gateway and of a second llama-server that
 * clients call as they would without Perch, by TCP: the same file, arguments and requests, in turn, none twice.
 */
export async function apiFigures(): Promise<Figure[]> {
  const served = await ServedGateway.begin();
  const generator = new Generator();
  const { port } = new URL(served.url);
  const gateway = { target: { host: "127.0.0.1", port: Number(port) }, headers: {}, keeps: true };
  const server = await LonelyServer.like(served.engine.pid ?? 0);
  const { headers } = whereabouts(served.engine.pid ?? 0);
  const direct = { target: { host: "127.0.0.1", port: server.port }, headers, keeps: false };
  const figures: Figure[] = [];
  try {
    // The first of each warms up.
    for (const side of [gateway, direct])
      await generator.carry({ ...side, stream: true, clients: 4, requests: 16, salt: "warm" });
    for (const clients of CLIENTS)
      for (const stream of [false, true]) {
        const load = { stream, clients, requests: Math.max(REQUESTS, 2 * clients) };
        const pairs: { bare: Carried; perch: Carried }[] = [];
        for (let round = 0; round < ROUNDS; round += 1) {
          const salt = `${clients} ${stream} ${round}`;
          const both = [
            () => generator.carry({ ...direct, ...load, salt: `${salt} a` }),
            () => generator.carry({ ...gateway, ...load, salt: `${salt} b` }),
          ];
          const order = round % 2 === 0 ? [0, 1] : [1, 0];
          const done: Carried[] = [];
          for (const side of order) done[side] = (await both[side]?.()) as Carried;
          pairs.push({ bare: done[0] as Carried, perch: done[1] as Carried });
        }
        figures.push(...figuresOf(pairs, clients, stream));
      }
  } finally {
    generator.end();
    await server.end();
    await served.dispose();
  }
  return figures;
}

function figuresOf(
  pairs: readonly { bare: Carried; perch: Carried }[],
  clients: number,
  stream: boolean,
): Figure[] {
  const how = `${clients} ${clients === 1 ? "client" : "clients"}, ${stream ? "streams" : "whole answers"}`;
  const share = (rate: (carried: Carried) => number) =>
    median(pairs.map(({ bare, perch }) => rate(perch) / rate(bare)));
  const requests = share(({ first, seconds }) => first.length / seconds);
  const shares: [string, number][] = stream
    ? [["tokens a second", share(({ tokens, seconds }) => tokens / seconds)]]
    : [["requests a second", requests]];
  const figures: Figure[] = shares.map(([name, value]) => ({
    name: `${name}, ${how}`,
    value,
    unit: "of llama-server's own, at least",
    goal: GOAL.share,
    ok: value >= GOAL.share,
  }));
  if (!stream) return figures;
  const of = (side: "bare" | "perch") => pairs.flatMap((pair) => pair[side].first);
  const added = (at: number) => quantile(of("perch"), at) - quantile(of("bare"), at);
  return [
    ...figures,
    {
      name: `time to first token, ${how}, median`,
      value: quantile(of("perch"), 0.5),
      unit: "ms",
      goal: null,
      ok: true,
    },
    { name: `added to it, ${how}, median`, value: added(0.5), unit: "ms", goal: null, ok: true },
    {
      name: `added to it, ${how}, p99`,
      value: added(0.99),
      unit: "ms, at most",
      goal: GOAL.added,
      ok: added(0.99) <= GOAL.added,
    },
  ];
}

function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? Number.NaN;
}

/** A llama-server by itself, that listens on a port. */
class LonelyServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  /** With the program, the arguments and the environment of one that runs, but for where it listens. */
  static async like(pid: number): Promise<LonelyServer> {
    const words = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0").slice(0, -1);
    const [, ...args] = words("cmdline");
    const port = await freePort();
    args[args.indexOf("--host") + 1] = "127.0.0.1";
    const child = spawn(readlinkSync(`/proc/${pid}/exe`), [...args, "--port", String(port)], {
      env: Object.fromEntries(words("environ").map((line) => line.split(/=(.*)/s).slice(0, 2))),
      stdio: "ignore",
    });
    await until(() =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return new LonelyServer(child, port);
  }

  async end(): Promise<void> {
    const over = once(this.child, "exit");
    this.child.kill();
    await over;
  }
}

/** The process that plays the clients. */
class Generator {
  private readonly child = fork(join(import.meta.dirname, "api-load.ts"), { execArgv: ["--import", "tsx"] });
  private readonly ended = once(this.child, "exit").then(() => {
    throw new Error("the load generator ended");
  });

  async carry(load: Load): Promise<Carried> {
    const answer = once(this.child, "message");
    this.child.send(load);
    const [carried] = await Promise.race([answer, this.ended]);
    return carried as Carried;
  }

  end(): void {
    this.ended.catch(() => undefined);
    this.child.kill();
  }
}
