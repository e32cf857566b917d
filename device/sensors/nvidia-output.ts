import { plausibleLimit } from "./zone-limit.ts";

/** What is asked of each GPU, in this order. */
export const FIELDS = [
  "index",
  "uuid",
  "pci.bus_id",
  "name",
  "temperature.gpu",
  "temperature.gpu.tlimit",
  "power.draw",
  "memory.total",
  "memory.used",
  "memory.free",
  "utilization.gpu",
  "clocks_event_reasons.active",
] as const;

/** What a driver calls a field that does not know its newer name; one with neither is left out. */
const OLDER_NAMES: Readonly<Record<string, string>> = {
  "clocks_event_reasons.active": "clocks_throttle_reasons.active",
};

const MEBIBYTE = 1_048_576;
/** No GPU holds more, bytes. */
const MOST_MEMORY = 2 ** 44;

/** One GPU at one moment. Undefined: this GPU does not tell, which is no fault. */
export interface GpuRow {
  readonly index: number;
  readonly uuid: string;
  readonly bus: string;
  readonly name: string;
  readonly celsius?: number;
  /** How far it may still warm up until it slows down, K: newer GPUs tell this instead of thresholds. */
  readonly room?: number;
  readonly watts?: number;
  readonly memory?: { readonly total: number; readonly used: number; readonly free: number };
  /** 0 to 1. */
  readonly load?: number;
  readonly reasons?: number;
  /** Fields that should have had a value and had a fault: "temperature.gpu: [GPU requires reset]". */
  readonly faults: readonly string[];
}

/**
 * One line of `--format=csv,noheader,nounits`; undefined for what is no such line: a message, or one that was
 * cut in the middle.
 */
export function parseRow(line: string, fields: readonly string[]): GpuRow | undefined {
  const cells = line.split(",").map((cell) => cell.trim());
  if (cells.length !== fields.length) return undefined;
  const faults: string[] = [];
  const cell = (field: string) => cells[fields.indexOf(field)] ?? "";
  const number = (field: string): number | undefined => {
    const text = cell(field);
    if (/^-?\d{1,9}(\.\d{1,6})?$/.test(text)) return Number(text);
    if (!notTold(text)) faults.push(`${field}: ${text}`);
    return undefined;
  };
  const index = cell("index");
  if (!/^\d{1,3}$/.test(index)) return undefined;
  const celsius = number("temperature.gpu");
  const room = number("temperature.gpu.tlimit");
  const watts = number("power.draw");
  const percent = number("utilization.gpu");
  const memory = memoryOf(number("memory.total"), number("memory.used"), number("memory.free"));
  const reasons = reasonsOf(cell(fields.find((field) => field.endsWith("reasons.active")) ?? ""));
  return {
    index: Number(index),
    uuid: cell("uuid"),
    bus: cell("pci.bus_id").toLowerCase(),
    name: cell("name"),
    ...(celsius === undefined ? {} : { celsius }),
    ...(room === undefined ? {} : { room }),
    ...(watts === undefined || watts < 0 ? {} : { watts }),
    ...(percent === undefined ? {} : { load: Math.min(1, Math.max(0, percent / 100)) }),
    ...(memory === undefined ? {} : { memory }),
    ...(reasons === undefined ? {} : { reasons }),
    faults,
  };
}

/** How nvidia-smi says that a GPU has no such value. Everything else that is no number is a fault. */
const notTold = (text: string): boolean =>
  text === "" || /^\[?(n\/a|not supported|not available|insufficient permissions)\]?$/i.test(text);

function memoryOf(
  total: number | undefined,
  used: number | undefined,
  free: number | undefined,
): GpuRow["memory"] {
  if (total === undefined || used === undefined || total <= 0 || used < 0) return undefined;
  const bytes = (mebibytes: number) => Math.round(mebibytes * MEBIBYTE);
  if (bytes(total) > MOST_MEMORY || used > total) return undefined;
  const left = free === undefined || free < 0 ? total - used : Math.min(free, total);
  return { total: bytes(total), used: bytes(used), free: bytes(left) };
}

function reasonsOf(text: string): number | undefined {
  return /^0x[0-9a-f]{1,16}$/i.test(text) ? Number(text) : undefined;
}

/**
 * Why a GPU slows itself down, by the bits of NVML's nvmlClocksEventReasons. The bit for a hardware slowdown is
 * set together with the one that says of which kind, and is told alone only where there is none.
 */
export function throttlingOf(id: string, reasons: number): string[] {
  const has = (bit: number) => Math.floor(reasons / bit) % 2 === 1;
  const why: string[] = [];
  if (has(0x4)) why.push("power cap");
  if (has(0x20)) why.push("software thermal slowdown");
  if (has(0x40)) why.push("hardware thermal slowdown");
  if (has(0x80)) why.push("power brake");
  if (has(0x8) && !has(0x40) && !has(0x80)) why.push("hardware slowdown");
  return why.map((reason) => `${id}: ${reason}`);
}

/** What `nvidia-smi -q -d TEMPERATURE` says of one GPU, degrees Celsius or K to its limit. */
export interface GpuThresholds {
  readonly bus: string;
  readonly target?: number;
  readonly operating?: number;
  readonly slowdown?: number;
  /** Where, in K of room, it begins to slow down: 0 on most GPUs that tell room at all. */
  readonly operatingRoom?: number;
}

export function parseThresholds(text: string): GpuThresholds[] {
  return text.split(/^(?=GPU [0-9a-f]+:)/im).flatMap((part) => {
    const bus = /^GPU ([0-9a-f]+:[0-9a-f]+:[0-9a-f]+\.[0-9a-f]+)/i.exec(part)?.[1]?.toLowerCase();
    if (bus === undefined) return [];
    const value = (label: string): number | undefined => {
      const found = new RegExp(`^\\s*${label}\\s*:\\s*(-?\\d{1,4}) C\\s*$`, "m").exec(part)?.[1];
      return found === undefined ? undefined : Number(found);
    };
    const target = value("GPU Target Temperature");
    const operating = value("GPU Max Operating Temp");
    const slowdown = value("GPU Slowdown Temp");
    const operatingRoom = value("GPU Max Operating T\\.Limit Temp");
    return [
      {
        bus,
        ...(target === undefined ? {} : { target }),
        ...(operating === undefined ? {} : { operating }),
        ...(slowdown === undefined ? {} : { slowdown }),
        ...(operatingRoom === undefined ? {} : { operatingRoom }),
      },
    ];
  });
}

/**
 * Where a GPU begins to slow itself down: at its target, which the driver holds by lower clocks, or above its
 * highest operating temperature (nvidia-smi's manual, "SW Thermal Slowdown"), or at the hardware's slowdown,
 * whichever comes first. A GPU that tells its room begins where no more is left than it says it operates with.
 */
export function gpuLimit(
  row: Pick<GpuRow, "celsius" | "room">,
  thresholds: GpuThresholds | undefined,
): number | null {
  const { target, operating, slowdown, operatingRoom = 0 } = thresholds ?? { bus: "" };
  const byRoom =
    row.celsius === undefined || row.room === undefined ? undefined : row.celsius + row.room - operatingRoom;
  const known = [target, operating, slowdown, byRoom].filter(
    (limit): limit is number => limit !== undefined && plausibleLimit(limit),
  );
  return known.length === 0 ? null : Math.round(Math.min(...known));
}

/** What one process holds of one GPU, by `--query-compute-apps=gpu_uuid,pid,used_memory`. */
export interface GpuProcess {
  readonly uuid: string;
  readonly pid: number;
  readonly bytes: number;
}

export function parseProcess(line: string): GpuProcess | undefined {
  const cells = line.split(",").map((cell) => cell.trim());
  const [uuid = "", pid = "", used = ""] = cells;
  if (cells.length !== 3 || uuid === "" || !/^\d{1,10}$/.test(pid) || !/^\d{1,9}$/.test(used))
    return undefined;
  return { uuid, pid: Number(pid), bytes: Number(used) * MEBIBYTE };
}

/** The fields without one that the driver does not know, or with its older name; undefined if it said no such thing. */
export function withoutRefused(message: string, fields: readonly string[]): string[] | undefined {
  const refused = /Field "([^"]+)" is not a valid field to query/.exec(message)?.[1];
  if (refused === undefined || !fields.includes(refused)) return undefined;
  const older = OLDER_NAMES[refused];
  return fields.flatMap((field) => (field !== refused ? [field] : older === undefined ? [] : [older]));
}
