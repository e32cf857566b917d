import { existsSync } from "node:fs";
import type { LoadTaken, Rung } from "../contract/decision.ts";
import type { Ladder, Level } from "../contract/models.ts";
import type { Readings } from "../contract/readings.ts";
import type { PlannedLadder } from "../governor/governor.ts";
import { gpuOf, planLadder } from "../governor/planner.ts";
import { engineShape } from "../inference/engine-args.ts";
import type { ModelStore } from "../inference/model-store.ts";
import { type Clock, sleep } from "../kernel/clock.ts";

/** How often files and memory are looked at for a change, ms. */
const LOOK = 1_000;

interface Options {
  readonly store: ModelStore;
  readonly ladder: Ladder;
  /** Best level that may run. */
  readonly top: Level;
  /** llama-server. */
  readonly binary: string;
  /** Memory that stays free in each pool, bytes. */
  readonly reserve: number;
  readonly readings: () => Readings;
  readonly gpuSharesRam: () => boolean;
  /** What levels took when they were loaded last; empty while the record is not open. */
  readonly loads: (ladder: string) => readonly LoadTaken[];
  /** Tokens a second that levels answered with of late. */
  readonly rates: (ladder: string) => readonly { readonly level: string; readonly tokensPerSecond: number }[];
  readonly onLoad: (load: LoadTaken) => void;
  readonly clock: Clock;
}

/**
 * The levels of a ladder that may run on this box, from the configured one down, as the planner sees them. They
 * are planned anew when a file or the size of memory changes, so that a model that is copied in is taken by itself.
 */
export class GovernedLadder implements PlannedLadder {
  readonly id: string;
  private readonly levels: readonly Level[];
  private planned: readonly Rung[] = [];
  /** What the plan was made of. */
  private basis = "";
  /** Levels whose files turned out to be wrong, and those files as they were then. */
  private readonly out = new Map<string, { readonly reason: string; readonly files: string }>();
  private files = new Map<string, string>();
  private readonly stopper = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(private readonly options: Options) {
    const { ladder, top } = options;
    this.id = ladder.id;
    this.levels = ladder.levels.slice(ladder.levels.findIndex(({ id }) => id === top.id));
  }

  get rungs(): readonly Rung[] {
    return this.planned.map((rung) => {
      const spoiled = this.out.get(rung.level);
      return spoiled ? { ...rung, fits: false, reason: spoiled.reason } : rung;
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.look();
    if (!signal.aborted) this.loop = this.watch();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    await this.loop;
  }

  spoiled(level: string, reason: string): void {
    this.out.set(level, { reason, files: this.files.get(level) ?? "" });
  }

  took(level: string, needs: Rung["needs"], ms: number): void {
    const { clock, onLoad } = this.options;
    const found = this.levels.find(({ id }) => id === level);
    if (!found || needs.length === 0) return;
    // The next look plans with what is known now.
    this.basis = "";
    const { text, context, slots, kv, gpuLayers } = found;
    onLoad({
      ladder: this.id,
      level,
      model: text.sha256,
      context,
      slots,
      kv,
      gpuLayers,
      needs,
      ms,
      at: clock.now(),
    });
  }

  private async watch(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopper;
    while (!signal.aborted) {
      await sleep(clock, LOOK, signal);
      if (!signal.aborted) await this.look();
    }
  }

  /** Plans again where what the plan was made of has changed. */
  private async look(): Promise<void> {
    const { store, ladder, binary, readings } = this.options;
    const folder = store.folder(ladder);
    const there = existsSync(binary);
    for (const { id, text, mmproj } of this.levels) {
      const files = `${there} ${await store.identities([text, mmproj], folder)}`;
      this.files.set(id, files);
      if (this.out.get(id)?.files !== files) this.out.delete(id);
    }
    const { memories } = readings();
    const totals = memories.map(({ id, total }) => `${id} ${total}`);
    const basis = [...this.files.values(), ...totals].join("\n");
    if (basis === this.basis) return;
    this.basis = basis;
    await this.plan(folder);
  }

  private async plan(folder: string): Promise<void> {
    const { ladder, readings, gpuSharesRam, reserve, loads, rates } = this.options;
    const { memories } = readings();
    const planned = await planLadder({
      ladder: { ...ladder, levels: [...this.levels] },
      folder,
      memories,
      gpu: gpuOf(memories, gpuSharesRam()),
      reserve,
      engine: engineShape,
      // What is free now is the policy's to look at, each second.
      room: "ever",
      taken: loads(ladder.id),
      measured: rates(ladder.id),
    });
    this.planned = planned.map(({ level, rank, fits, reason, needs, speed, energy }) => ({
      level,
      rank,
      fits,
      reason,
      needs,
      speed,
      energy,
    }));
  }
}
