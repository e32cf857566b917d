import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { RemoteServerConfig } from "../../service/contract/config-remote.ts";
import type { EngineStamp, Prompt, RawRequest } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import { RemoteEngine } from "../../service/inference/remote-engine.ts";
import type { RemoteTimings } from "../../service/inference/remote-server.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import type { PerchError } from "../../service/kernel/errors.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { anySignal } from "./engine-bench.ts";
import { FaultServer } from "./fault-server.ts";
import { SQUARE } from "./image-shapes.ts";
import { until } from "./until.ts";

/** Quick, so that nobody waits for what has to be waited for. */
const QUICK: Partial<RemoteTimings> = {
  connect: 1_000,
  silence: 5_000,
  beat: 60_000,
  beatTimeout: 300,
  backoff: { first: 20, most: 100 },
  rest: { first: 20, most: 100 },
};

/** Servers that fail as the test says, as one engine behind the queue. */
export class RemoteBench {
  readonly metrics = new Metrics();
  /** Every line of the log, at the most talkative level. */
  readonly log: string[] = [];
  readonly data = mkdtempSync(join(tmpdir(), "perch-test-"));
  readonly servers: FaultServer[] = [];
  engine: RemoteEngine;
  inference: Inference;

  private constructor(
    servers: readonly FaultServer[],
    configs: readonly RemoteServerConfig[],
    timings: Partial<RemoteTimings>,
  ) {
    this.servers.push(...servers);
    const logger = pino({ level: "trace" }, { write: (line) => this.log.push(line) });
    const shared = { clock: systemClock, logger, metrics: this.metrics };
    this.engine = new RemoteEngine({
      ...shared,
      config: { mode: "instead", servers: [...configs] },
      image: SQUARE,
      order: "question-first",
      timings: { ...QUICK, ...timings },
    });
    this.inference = new Inference({ ...shared, engine: this.engine, capacity: 64, data: this.data });
  }

  /** One server for each name, all up and probed. */
  static async start(
    names: readonly string[],
    {
      slots = 4,
      timings = {},
      before,
      over = {},
    }: {
      slots?: number;
      timings?: Partial<RemoteTimings>;
      /** What is to be so before they are probed. */
      before?: (servers: readonly FaultServer[]) => void;
      over?: Partial<RemoteServerConfig>;
    } = {},
  ): Promise<RemoteBench> {
    const servers = await Promise.all(names.map((name) => FaultServer.start(name)));
    before?.(servers);
    const configs = servers.map(({ name, url }) => ({ id: name, url, slots, cleartext: false, ...over }));
    const bench = new RemoteBench(servers, configs, timings);
    await bench.engine.start(anySignal());
    await bench.engine.settled(anySignal());
    await bench.inference.start();
    return bench;
  }

  server(name: string): FaultServer {
    const found = this.servers.find((server) => server.name === name);
    if (!found) throw new Error(`there is no server ${name}`);
    return found;
  }

  state(name: string): string | undefined {
    return this.engine.views().find(({ id }) => id === name)?.state;
  }

  reason(name: string): string {
    return this.engine.views().find(({ id }) => id === name)?.reason ?? "";
  }

  untilState(name: string, state: string): Promise<void> {
    return until(() => this.state(name) === state);
  }

  /** Submits; later the text, or the code and message of the error. */
  ask(prompt: Partial<Prompt> = {}, signal?: AbortSignal): Promise<string> {
    return this.settled({ prompt: { question: "Who are you?", ...prompt } }, signal);
  }

  /** Submits a chat in the gateway's words, and later gives what its client has, or the error. */
  async chat(
    fields: object = {},
    more: Partial<RawRequest> = {},
  ): Promise<{ events: string; end: string; stamps: EngineStamp[] }> {
    const stamps: EngineStamp[] = [];
    let events = "";
    const raw: RawRequest = {
      path: "/v1/chat/completions",
      body: JSON.stringify({
        messages: [{ role: "user", content: "Who are you?" }],
        cache_prompt: true,
        stream: true,
        stream_options: { include_usage: false },
        ...fields,
      }),
      sink: {
        get begun() {
          return events !== "";
        },
        begin: (stamp) => void stamps.push(stamp),
        take: (some) => {
          events += some;
          return undefined;
        },
      },
      ...more,
    };
    const end = await this.settled({ raw });
    return { events, end, stamps };
  }

  async dispose(): Promise<void> {
    for (const server of this.servers) server.release();
    await this.inference.stop();
    await this.engine.stop();
    await Promise.all(this.servers.map((server) => server.close()));
    rmSync(this.data, { recursive: true });
  }

  private settled(
    what: { readonly prompt: Prompt } | { readonly raw: RawRequest },
    signal = anySignal(),
  ): Promise<string> {
    return this.inference
      .submit({ ...what, lane: "api", deadline: systemClock.monotonic() + 20_000, signal })
      .then(
        ({ reply, stamp }) => reply.text || `answered by ${stamp.server}`,
        ({ code, message }: PerchError) => `${code} ${message}`,
      );
  }
}
