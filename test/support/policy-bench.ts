import { Value } from "typebox/value";
import { expect } from "vitest";
import { Governor } from "../../service/contract/config-governor.ts";
import { Decision, type Manual, type Rung } from "../../service/contract/decision.ts";
import type { Memory, Readings, Zone } from "../../service/contract/readings.ts";
import { decide, initialState, levelFailed, type PolicyInput } from "../../service/governor/policy.ts";
import { decodeUnits, fillDefaults } from "../../service/kernel/config-schema.ts";

export const LIMITS = decodeUnits(Governor, fillDefaults(Governor, {})) as Governor;
export const GB = 1e9;
export const MINUTE = 60_000;

export const rung = (
  rank: number,
  level: string,
  gigabytes: number,
  speed: number,
  energy: number,
): Rung => ({
  level,
  rank,
  fits: true,
  reason: null,
  needs: [{ memory: "ram", bytes: gigabytes * GB }],
  speed,
  energy,
});
export const LADDER = [rung(0, "q8", 13, 1, 1), rung(1, "q4", 7.5, 1.6, 0.63), rung(2, "q4-70", 7, 2, 0.5)];

/** A box whose zones and memory are set by hand, asked every second. */
export class PolicyBench {
  now = 1_750_000_000_000;
  zones: Zone[] = [{ id: "tj-thermal", celsius: 50, limit: 99 }];
  memory: Memory = { id: "ram", total: 32 * GB, free: 28 * GB, own: 0 };
  pressure: Readings["pressure"] = null;
  throttling: string[] = [];
  rungs: readonly Rung[] = LADDER;
  limits = LIMITS;
  manual: Manual | null = null;
  /** Share of the pace that the model uses. */
  eager = 1;
  state = initialState(this.now);
  decision: Decision = { level: null, pace: 1, reason: "start", text: "", next: null };

  /** Asks every second for `seconds`; returns the last decision. */
  run(seconds: number, each?: () => void): Decision {
    for (let i = 0; i < seconds; i += 1) {
      each?.();
      this.decide();
      this.now += 1000;
    }
    return this.decision;
  }

  set celsius(celsius: number) {
    this.zones = this.zones.map((zone) => ({ ...zone, celsius }));
  }

  /** Heats or cools the box as fast as a chip may. */
  goTo(celsius: number): void {
    const from = this.zones[0]?.celsius ?? celsius;
    const steps = Math.ceil(Math.abs(celsius - from) / 3);
    for (let i = 1; i <= steps; i += 1) {
      this.celsius = from + ((celsius - from) * i) / steps;
      this.run(1);
    }
  }

  fail(level: string): void {
    const memories = [this.memory];
    this.state = levelFailed(this.state, { level, now: this.now, memories, running: null });
  }

  /** Memory as it is with what runs, and so much taken by others. */
  taken(gigabytes: number): void {
    const own = this.rungs.find(({ level }) => level === this.decision.level)?.needs[0]?.bytes ?? 0;
    this.memory = { ...this.memory, own, free: Math.max(0, this.memory.total - own - gigabytes * GB) };
  }

  private decide(): void {
    const readings: Readings = {
      at: this.now,
      simulated: false,
      zones: this.zones,
      memories: [this.memory],
      pressure: this.pressure,
      throttling: this.throttling,
      watts: null,
      distrusted: [],
    };
    const { now, rungs, limits, manual } = this;
    const input: PolicyInput = {
      now,
      readings,
      rungs,
      limits,
      manual,
      worked: this.decision.pace * this.eager,
    };
    const { decision, state } = decide(input, this.state);
    expect(Value.Errors(Decision, decision)).toEqual([]);
    this.decision = decision;
    this.state = state;
  }
}
