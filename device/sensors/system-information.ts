import type { Sensor } from "../../service/contract/readings.ts";

export interface SystemInformationOptions {
  /** Whether nothing else here measures a temperature of the processor. */
  readonly needed: () => Promise<boolean>;
  /** Degrees Celsius, null where it finds none. Default: systeminformation's, which runs programs and so is asked seldom. */
  readonly celsius?: () => Promise<number | null>;
}

/** The processor's temperature by systeminformation, where the kernel's own files give none. */
export function createSystemInformation({ needed, celsius = ask }: SystemInformationOptions): Sensor {
  return {
    name: "systeminformation",
    interval: 10_000,
    timeout: 5000,
    probe: async () => (await needed()) && plausible(await celsius()),
    async read() {
      const now = await celsius();
      if (now === null) throw new Error("finds no temperature any more");
      return { zones: [{ id: "cpu", celsius: now, limit: null }] };
    },
    close: async () => undefined,
  };
}

const plausible = (celsius: number | null): boolean => celsius !== null && Number.isFinite(celsius);

async function ask(): Promise<number | null> {
  const { default: systeminformation } = await import("systeminformation");
  return (await systeminformation.cpuTemperature()).main;
}
