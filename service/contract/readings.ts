import Type, { type Static } from "typebox";

const closed = { additionalProperties: false };
const Celsius = (description: string) => Type.Number({ description: `${description}, degrees Celsius.` });
const Bytes = (description: string) => Type.Integer({ minimum: 0, description: `${description}, bytes.` });

/** One place whose temperature is measured. */
export const Zone = Type.Object(
  {
    id: Type.String({
      description: 'As the system names it: "gpu-thermal", "nvidia0", "coretemp/Package id 0".',
    }),
    celsius: Celsius("Temperature"),
    limit: Type.Union([Celsius("Where the hardware begins to slow itself down"), Type.Null()], {
      description: "The zone's own trip point; null where it tells none.",
    }),
  },
  closed,
);
export type Zone = Static<typeof Zone>;

/** One pool of memory that a model can lie in: RAM (shared with the GPU on a Jetson), or a GPU's own. */
export const Memory = Type.Object(
  {
    id: Type.String({ description: '"ram", or a GPU: "nvidia0".' }),
    total: Bytes("All of it; of RAM no more than a container may use"),
    free: Bytes("What a new allocation can have without pushing others out"),
    own: Bytes("What Perch's own children hold of it"),
  },
  closed,
);
export type Memory = Static<typeof Memory>;

/** What the box measured of itself at one moment. */
export const Readings = Type.Object(
  {
    at: Type.Number({ description: "Epoch ms." }),
    simulated: Type.Boolean({
      description: "The temperatures, throttling and power are of a simulated box: nobody measured them.",
    }),
    zones: Type.Array(Zone),
    memories: Type.Array(Memory),
    pressure: Type.Union(
      [
        Type.Object(
          {
            some: Type.Number({ minimum: 0, maximum: 100 }),
            full: Type.Number({ minimum: 0, maximum: 100 }),
          },
          closed,
        ),
        Type.Null(),
      ],
      {
        description:
          "Share of the last 10 s in which some or all tasks waited for memory, percent (Linux PSI).",
      },
    ),
    throttling: Type.Array(Type.String(), {
      description: 'Why the hardware slows itself down right now: "nvidia0: power cap".',
    }),
    watts: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      description: "Power that the box draws.",
    }),
    distrusted: Type.Array(Type.Object({ sensor: Type.String(), reason: Type.String() }, closed), {
      description: "Sensors that failed, hung, froze or gave nonsense; their values are not above.",
    }),
  },
  closed,
);
export type Readings = Static<typeof Readings>;

/** What one sensor gives: any part of the readings; the rest is others'. */
export interface SensorReading {
  readonly zones?: readonly Zone[];
  readonly memories?: readonly Memory[];
  readonly pressure?: { readonly some: number; readonly full: number };
  readonly throttling?: readonly string[];
  readonly watts?: number;
  /** Temperatures, throttling and power are a simulated box's. */
  readonly simulated?: boolean;
  /** Parts of it that could not be read, and why: "soc2-thermal: EAGAIN". */
  readonly failed?: readonly { readonly sensor: string; readonly reason: string }[];
}

/** One source of readings: a folder of sysfs, a tool's output, the simulated box. */
export interface Sensor {
  readonly name: string;
  /** Ms between two readings, and the most that one may take. */
  readonly interval: number;
  readonly timeout: number;
  /** Whether there is anything of it on this box. */
  probe(): Promise<boolean>;
  read(signal: AbortSignal): Promise<SensorReading>;
  /** Ends a child or handle that it keeps. */
  close(): Promise<void>;
}
