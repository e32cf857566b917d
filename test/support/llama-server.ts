import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Level } from "../../service/contract/models.ts";
import { engineArguments, engineEnvironment } from "../../service/inference/engine-args.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { SupervisedProcess } from "../../service/kernel/supervised-process.ts";
import { shippedLevel, WEIGHTS } from "./engine-bench.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const BINARY = join(packageRoot, "build/engine/llama-server");

/** A llama-server with the small model on a port of 127.0.0.1, with a key, as a server elsewhere is. */
export class LlamaServer {
  readonly key = "perch-test-key-7";
  private readonly process: SupervisedProcess;

  private constructor(
    readonly port: number,
    level: Partial<Level>,
    eyes: boolean,
  ) {
    const whole = { ...shippedLevel(), ...level };
    const args = engineArguments(whole, "media-first", {
      text: join(WEIGHTS, whole.text.file),
      mmproj: join(WEIGHTS, whole.mmproj.file),
      socket: "127.0.0.1",
    });
    const mmproj = args.indexOf("--mmproj");
    if (!eyes) args.splice(mmproj, 2);
    this.process = new SupervisedProcess({
      name: "llama-server",
      clock: systemClock,
      logger: silentLogger,
      grace: 1_000,
      backoff: { first: 0, most: 0 },
      spec: () => ({
        command: BINARY,
        args: [...args, "--port", String(port), "--alias", "small-model"],
        env: engineEnvironment(this.key),
      }),
      onSpawn: ({ stdout }) => stdout.resume(),
      onExit: () => "stay-down",
    });
  }

  /** Resolves when it answers. Without eyes it has text only. */
  static async start({
    port,
    level = {},
    eyes = true,
  }: {
    port?: number;
    level?: Partial<Level>;
    eyes?: boolean;
  } = {}): Promise<LlamaServer> {
    const server = new LlamaServer(port ?? (await freePort()), level, eyes);
    server.process.start();
    await until(async () => (await fetch(`${server.url}/health`).catch(() => undefined))?.status === 200);
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** What stands in the process list about it. */
  get commandLine(): string {
    return readFileSync(`/proc/${this.pid}/cmdline`, "utf8");
  }

  /** As a crash ends it. */
  kill(): void {
    this.process.kill("SIGKILL");
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
