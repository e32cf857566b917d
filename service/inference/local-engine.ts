import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ImageShape, Ladder, Level } from "../contract/models.ts";
import { Backoff } from "../kernel/backoff.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health } from "../kernel/part.ts";
import { packageRoot } from "../kernel/paths.ts";
import { type Engine, type EngineStamp, isRaw, type Prompt, type RawRequest, type Reply } from "./engine.ts";
import { engineArguments, engineEnvironment } from "./engine-args.ts";
import { privateFolder } from "./engine-folder.ts";
import { EngineLife, type LifeEnd, type LifeTimings } from "./engine-life.ts";
import type { ModelStore } from "./model-store.ts";
import { chatRequest } from "./prompt.ts";

/** All in ms. */
export interface EngineTimings extends LifeTimings {
  /** How long start() waits for it to be ready before the service goes on without. */
  readonly patience: number;
  /** How often a missing or corrupt file is looked at again, if it does not change before. */
  readonly recheck: number;
  /** Shortest and longest wait before a restart. */
  readonly backoff: { readonly first: number; readonly most: number };
  /** Wait before a restart once the budget is spent. */
  readonly overBudget: number;
}

const TIMINGS: EngineTimings = {
  request: 120_000,
  beat: 10_000,
  beatTimeout: 10_000,
  missedBeats: 3,
  load: 600_000,
  grace: 3_000,
  patience: 2_000,
  recheck: 30_000,
  backoff: { first: 200, most: 15_000 },
  overBudget: 120_000,
};
/** Restarts are counted over so many ms. */
const BUDGET_WINDOW = 600_000;
/** A life that answered for so many ms worked: the waits begin anew. */
const SETTLED = 30_000;
const CHANGE_POLL = 1_000;

interface Options {
  readonly store: ModelStore;
  readonly ladder: Ladder;
  readonly level: Level;
  /** llama-server; without it the one that set-up built. */
  readonly binary?: string;
  /** Restarts within ten minutes before it waits longer between tries. */
  readonly restarts: number;
  readonly timings?: Partial<EngineTimings>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Ready {
  readonly text: string;
  readonly mmproj: string;
  readonly folder: string;
}

/** llama-server as a supervised child on a unix socket that only this user can reach. */
export class LocalEngine implements Engine {
  readonly name = "engine";
  readonly stamp: EngineStamp;
  private readonly timings: EngineTimings;
  private readonly backoff: Backoff;
  private readonly stopper = new AbortController();
  private readonly binary: string;
  private life: EngineLife | undefined;
  private loop: Promise<void> | undefined;
  private folder: string | undefined;
  /** Told when a life that had answered ends by itself: why, and how many did within ten minutes. */
  onDeath: ((fault: PerchError, deaths: number) => void) | undefined;
  private state: Health = { state: "starting" };
  private trouble: PerchError | undefined;
  private listeners: (() => void)[] = [];
  private deaths: number[] = [];
  private spawns = 0;

  constructor(private readonly options: Options) {
    const { ladder, level, timings, binary } = options;
    this.timings = { ...TIMINGS, ...timings };
    this.backoff = new Backoff(this.timings.backoff.first, this.timings.backoff.most);
    this.binary = binary ?? join(packageRoot, "build/engine/llama-server");
    this.stamp = { ladder: ladder.id, level: level.id, model: level.text.sha256.slice(0, 16) };
  }

  get image(): ImageShape {
    return this.options.level.image;
  }

  get order(): Ladder["order"] {
    return this.options.ladder.order;
  }

  get slots(): number {
    return this.options.level.slots;
  }

  /** Process id of llama-server while one runs. */
  get pid(): number | undefined {
    return this.life?.pid;
  }

  /** Why it does not answer, once it has found out. */
  get fault(): PerchError | undefined {
    return this.trouble;
  }

  /** Resolves when it answers, when it cannot and says why in its health, or when loading takes long. */
  async start(signal: AbortSignal): Promise<void> {
    this.loop ??= this.run();
    const late = sleep(this.options.clock, this.timings.patience, signal);
    await Promise.race([this.until(() => this.state.state !== "starting", signal), late]);
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    this.change(this.state);
    await this.life?.stop();
    await this.loop;
    this.change({ state: "stopped" });
  }

  health(): Health {
    const { ladder, level } = this.stamp;
    const pid = this.pid;
    return {
      ...this.state,
      detail: {
        ladder,
        level,
        restarts: Math.max(0, this.spawns - 1),
        ...(pid !== undefined && { pid }),
      },
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (!(await this.until(() => this.life?.up === true, signal))) throw this.unavailable();
  }

  /** Its health once it answers or says why it cannot, or when the signal aborts. */
  async settled(signal: AbortSignal): Promise<Health> {
    await this.until(() => this.state.state !== "starting", signal);
    return this.health();
  }

  async ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    const life = this.life;
    if (!life?.up) throw this.unavailable();
    if (isRaw(work)) return await life.pass(work, signal);
    return await life.ask(chatRequest(work, this.order), signal);
  }

  private unavailable(): PerchError {
    const why = this.state.reason ?? (this.state.state === "stopped" ? "it is stopped" : "it is starting");
    return new PerchError("ENGINE_UNAVAILABLE", `the engine does not answer yet: ${why}`);
  }

  /** One life after the other until stop(). */
  private async run(): Promise<void> {
    while (!this.stopper.signal.aborted) {
      const ready = await this.filesReady();
      if (!ready) continue;
      const end = await this.live(ready);
      if (this.stopper.signal.aborted) break;
      await this.mourn(end);
    }
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  /** The verified files and the socket's folder; undefined, after a wait, where one is not as it should be. */
  private async filesReady(): Promise<Ready | undefined> {
    const { store, ladder, logger } = this.options;
    const folder = store.folder(ladder);
    const { signal } = this.stopper;
    const before = await this.filesIdentity(folder);
    try {
      const files = await this.checkFiles(signal);
      this.folder ??= await privateFolder();
      return { ...files, folder: this.folder };
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isPerchError(error, "MODEL_MISSING", "MODEL_CORRUPT", "SETUP_MISSING", "DATA_UNWRITABLE"))
        throw error;
      if (this.state.reason !== error.message) logger.error({ part: this.name }, error.message);
      this.trouble = error;
      this.change({ state: "degraded", reason: error.message });
      await this.filesChanged(folder, before);
      return undefined;
    }
  }

  /**
   * Checks that all that a start needs is there and right; hashing a large file for the first time takes long.
   * Throws SETUP_MISSING, MODEL_MISSING, MODEL_CORRUPT, or CANCELLED when the signal aborts.
   */
  async checkFiles(signal: AbortSignal): Promise<{ text: string; mmproj: string }> {
    const { store, ladder, level } = this.options;
    const folder = store.folder(ladder);
    if (!existsSync(this.binary))
      throw new PerchError("SETUP_MISSING", `there is no engine at ${this.binary}: run npm run setup`);
    const text = await store.verifyFile(level.text, folder, "text", signal);
    const mmproj = await store.verifyFile(level.mmproj, folder, "mmproj", signal);
    return { text, mmproj };
  }

  private async filesIdentity(folder: string): Promise<string> {
    const { store, level } = this.options;
    return `${existsSync(this.binary)} ${await store.identities([level.text, level.mmproj], folder)}`;
  }

  /** Waits until a file changed, or it is time to look again all the same. */
  private async filesChanged(folder: string, before: string): Promise<void> {
    const { clock } = this.options;
    const end = clock.monotonic() + this.timings.recheck;
    while (!this.stopper.signal.aborted && clock.monotonic() < end) {
      await sleep(clock, Math.min(CHANGE_POLL, this.timings.recheck), this.stopper.signal);
      if ((await this.filesIdentity(folder)) !== before) return;
    }
  }

  private async live({ folder, ...paths }: Ready): Promise<LifeEnd> {
    const { level, ladder, clock, logger, metrics } = this.options;
    // A socket of its own for each life: what an earlier one left is in nobody's way.
    const socket = join(folder, `${this.spawns}.sock`);
    const apiKey = randomBytes(24).toString("base64url");
    const life = new EngineLife({
      spec: {
        command: this.binary,
        // Its answers name the model: so they say which level it is, and not where its file lies.
        args: [
          ...engineArguments(level, ladder.order, { ...paths, socket }),
          "--alias",
          `perch@${level.id}`,
          "--no-prefill-assistant",
        ],
        env: engineEnvironment(apiKey),
        cwd: folder,
      },
      socket,
      apiKey,
      title: `${ladder.id} ${level.id}`,
      timings: this.timings,
      clock,
      logger: logger.child({ part: this.name }),
    });
    this.spawns += 1;
    if (this.spawns > 1) metrics.restarts.inc({ child: "engine" });
    this.life = life;
    if (this.stopper.signal.aborted) await life.stop();
    else {
      await life.begin().then(
        () => {
          this.trouble = undefined;
          this.change({ state: "ok" });
        },
        (error: unknown) => {
          // An expected fault is how it ended, and told with its end.
          if (!isPerchError(error)) throw error;
        },
      );
    }
    const end = await life.ended;
    await rm(socket, { force: true });
    return end;
  }

  /** Tells why it ended and waits before the next life. */
  private async mourn({ fault, stderr, answered }: LifeEnd): Promise<void> {
    const { clock, logger, restarts } = this.options;
    const now = clock.monotonic();
    this.deaths = [...this.deaths.filter((at) => at > now - BUDGET_WINDOW), now];
    if (answered >= SETTLED) this.backoff.reset();
    const spent = this.deaths.length > restarts;
    const wait = spent ? this.timings.overBudget : this.backoff.next();
    const reason = spent
      ? `${fault.message}; it ended ${this.deaths.length} times within ten minutes, the next try is in ${Math.round(wait / 1000)} s${quoted(stderr)}`
      : `${fault.message}; it is started again`;
    logger.error({ part: this.name, stderr }, reason);
    this.trouble = fault;
    this.change({ state: "degraded", reason });
    if (answered > 0) this.onDeath?.(fault, this.deaths.length);
    await sleep(clock, wait, this.stopper.signal);
  }

  private change(state: Health): void {
    this.state = state;
    for (const listener of [...this.listeners]) listener();
  }

  /** Resolves to true when the condition holds, to false when the signal aborts or stop() is called first. */
  private until(condition: () => boolean, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const check = () => {
        const holds = condition();
        if (!holds && !signal.aborted && !this.stopper.signal.aborted) return;
        this.listeners = this.listeners.filter((listener) => listener !== check);
        signal.removeEventListener("abort", check);
        resolve(holds);
      };
      this.listeners.push(check);
      signal.addEventListener("abort", check, { once: true });
      check();
    });
  }
}

const quoted = (stderr: readonly string[]): string =>
  stderr.length > 0 ? `. Its last lines: ${stderr.slice(-3).join(" | ")}` : "";
