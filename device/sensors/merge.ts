import type { Memory, Readings, SensorReading } from "../../service/contract/readings.ts";
import type { Measured } from "./trust.ts";

/** What one sensor gave last, or why it gives nothing. */
export interface Source {
  readonly sensor: string;
  readonly reading: SensorReading | null;
  /** When it was read, clock.monotonic(). */
  readonly at: number;
  readonly fault: string | null;
}

export interface Merged extends Omit<Readings, "at" | "zones" | "distrusted"> {
  readonly measured: readonly Measured[];
  readonly failed: readonly { readonly sensor: string; readonly reason: string }[];
}

/**
 * One picture of the box from what its sensors gave. Where two give the same zone or pool, or power, the first
 * counts: the order of the sensors says which knows better.
 */
export function merge(parts: readonly Source[]): Merged {
  const measured = new Map<string, Measured>();
  const memories = new Map<string, Memory>();
  const failed: { sensor: string; reason: string }[] = [];
  const throttling = new Set<string>();
  let pressure: Readings["pressure"] = null;
  let watts: number | null = null;
  let simulated = false;
  for (const { sensor, reading, at, fault } of parts) {
    if (fault !== null) failed.push({ sensor, reason: fault });
    if (!reading) continue;
    for (const zone of reading.zones ?? []) if (!measured.has(zone.id)) measured.set(zone.id, { zone, at });
    for (const memory of reading.memories ?? [])
      if (!memories.has(memory.id)) memories.set(memory.id, memory);
    for (const why of reading.throttling ?? []) throttling.add(why);
    failed.push(...(reading.failed ?? []));
    simulated ||= reading.simulated ?? false;
    pressure ??= reading.pressure ?? null;
    if (reading.watts !== undefined && Number.isFinite(reading.watts))
      watts ??= Math.max(0, Math.round(reading.watts * 1000) / 1000);
  }
  return {
    measured: [...measured.values()],
    memories: [...memories.values()],
    throttling: [...throttling],
    pressure,
    watts,
    simulated,
    failed,
  };
}
