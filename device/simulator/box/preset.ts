/** One place in the chips that has its own temperature, heated by its work and cooled by the heat sink. */
export interface Spot {
  readonly id: string;
  /** J/K. */
  readonly capacity: number;
  /** Between it and the heat sink, K/W. */
  readonly resistance: number;
  /** Watts at rest. */
  readonly idle: number;
  /** Its share of the watts that the model draws at work. */
  readonly model: number;
  /** Watts that other programs draw in it when they are at their busiest. */
  readonly others: number;
}

/** A temperature that the box reports. */
export interface SimulatedZone {
  readonly id: string;
  /** A spot, the hottest of them, or the heat sink. */
  readonly of: string;
  readonly limit: number;
  /** Steps in which the sensor tells it, kelvin. */
  readonly step: number;
}

/** The fan runs at the speed of the last step whose temperature was reached, until it is `hysteresis` cooler. */
export interface FanStep {
  readonly celsius: number;
  readonly hysteresis: number;
  /** Share of its full speed. */
  readonly speed: number;
}

/** A rung as the box knows it: what an answer really takes. */
export interface SimulatedRung {
  readonly level: string;
  /** Of the pool that the model lies in. */
  readonly bytes: number;
  /** An answer takes at full clock. */
  readonly seconds: number;
  /** What the model draws at work, beyond the box at rest. */
  readonly watts: number;
}

/** A kind of box: how it heats, cools, throttles and remembers. */
export interface BoxPreset {
  readonly id: string;
  readonly title: string;
  readonly spots: readonly Spot[];
  readonly zones: readonly SimulatedZone[];
  readonly sink: {
    /** J/K. */
    readonly capacity: number;
    /** To the air, K/W, with the fan off and at full speed. */
    readonly still: number;
    readonly blown: number;
  };
  /** The hottest spot drives it; none: the box has no fan. */
  readonly fan: readonly FanStep[];
  /** Air around it over a day, degrees Celsius. */
  readonly air: { readonly coolest: number; readonly hottest: number };
  /** Where the model lies. */
  readonly memory: {
    readonly id: string;
    readonly total: number;
    /** What the system and the service take of it. */
    readonly system: number;
    /** How fast a model comes from disk, bytes a second. */
    readonly load: number;
  };
  readonly ladder: readonly SimulatedRung[];
}

const GB = 1e9;

/**
 * Seconds an answer takes, by the roofline: reading the prompt is bound by arithmetic, writing the answer by
 * memory bandwidth, since every token reads all weights (S. Williams et al., Roofline, CACM 52(4), 2009).
 * Thirty tokens are written; a picture and some 150 tokens of text are read, 2 FLOP a weight and token.
 */
function answer(chip: { bandwidth: number; flops: number }, weights: number, image: number): number {
  return (30 * weights) / chip.bandwidth + ((image + 150) * 2 * 12e9) / chip.flops;
}

const rung = (
  level: string,
  chip: { bandwidth: number; flops: number; watts: number },
  weights: number,
  image: number,
): SimulatedRung => ({
  level,
  // Key-value cache, picture encoder and buffers beside the weights.
  bytes: Math.round(weights + 0.45 * GB + image * 0.4e6),
  seconds: answer(chip, weights, image),
  watts: chip.watts,
});

/*
 * Watts. Orin Nano: 15 W mode (NVIDIA's data sheet: 7 to 15 W); AGX Orin: up to 60 W, of which the GPU 40 and
 * the CPU 15 at their busiest (measured: forums.developer.nvidia.com/t/323456); RTX 4070 laptop: 35 to 115 W.
 * Limits. Orin: software throttling at 99 (Jetson Linux Developer Guide, Thermal Specifications); laptop GPUs:
 * target 87, where the driver holds them (github.com/NVIDIA/open-gpu-kernel-modules/issues/1083).
 * Bandwidth 68, 204.8 and 256 GB/s, of which decoding reaches three quarters; arithmetic 10, 42 and 60 TFLOPS
 * dense FP16, of which it reaches 40 to 50%.
 * Fan of the AGX Orin: the "quiet" profile of nvfancontrol.conf (46/8, 60/8, 68/7, 76/7; 1,000 to 4,000 rpm).
 * Resistances and capacities are not published. They are set so that a box at full work settles where such
 * boxes are reported to: a fanless 15 W box reaches its limit at some 35 degrees of air, a 60 W Orin with a fan
 * stays 35 to 45 K over the air, a 115 W laptop GPU sits at 85. A chip settles in seconds, a sink in minutes.
 */
const NANO = { bandwidth: 0.75 * 68 * GB, flops: 5e12, watts: 8.5 };
const AGX = { bandwidth: 0.75 * 204.8 * GB, flops: 17e12, watts: 32 };
const LAPTOP = { bandwidth: 0.75 * 256 * GB, flops: 25e12, watts: 85 };

export const PRESETS = [
  {
    id: "orin-nano-8gb",
    title: "Jetson Orin Nano 8 GB, 15 W, fanless in a cabinet",
    spots: [
      { id: "gpu", capacity: 5, resistance: 0.9, idle: 1.5, model: 0.8, others: 0 },
      { id: "cpu", capacity: 4, resistance: 1.0, idle: 2, model: 0.2, others: 3 },
    ],
    zones: [
      { id: "cpu-thermal", of: "cpu", limit: 99, step: 0.5 },
      { id: "gpu-thermal", of: "gpu", limit: 99, step: 0.5 },
      { id: "tj-thermal", of: "hottest", limit: 99, step: 0.5 },
    ],
    sink: { capacity: 500, still: 4.0, blown: 4.0 },
    fan: [],
    air: { coolest: 22, hottest: 50 },
    memory: { id: "ram", total: 7.6 * GB, system: 1.2 * GB, load: 0.8 * GB },
    ladder: [
      rung("iq3-280", NANO, 4.8 * GB, 280),
      rung("iq3-140", NANO, 4.8 * GB, 140),
      rung("iq3-70", NANO, 4.8 * GB, 70),
      rung("iq2-70", NANO, 3.9 * GB, 70),
    ],
  },
  {
    id: "agx-orin-64gb",
    title: "Jetson AGX Orin 64 GB, 60 W, a dusty fan in a sunlit cabinet",
    spots: [
      { id: "gpu", capacity: 18, resistance: 0.28, idle: 4, model: 0.85, others: 0 },
      { id: "cpu", capacity: 14, resistance: 0.35, idle: 6, model: 0.15, others: 12 },
    ],
    zones: [
      { id: "cpu-thermal", of: "cpu", limit: 99, step: 0.5 },
      { id: "gpu-thermal", of: "gpu", limit: 99, step: 0.5 },
      { id: "tj-thermal", of: "hottest", limit: 99, step: 0.5 },
    ],
    sink: { capacity: 450, still: 2.2, blown: 0.75 },
    fan: [
      { celsius: 46, hysteresis: 8, speed: 0.25 },
      { celsius: 60, hysteresis: 8, speed: 0.5 },
      { celsius: 68, hysteresis: 7, speed: 0.75 },
      { celsius: 76, hysteresis: 7, speed: 1 },
    ],
    air: { coolest: 28, hottest: 64 },
    memory: { id: "ram", total: 61 * GB, system: 6 * GB, load: 2 * GB },
    ladder: [
      rung("q8_0", AGX, 12.7 * GB, 280),
      rung("q4_0", AGX, 7.0 * GB, 280),
      rung("q4_0-140", AGX, 7.0 * GB, 140),
      rung("q4_0-70", AGX, 7.0 * GB, 70),
    ],
  },
  {
    id: "rtx-4070-laptop",
    title: "RTX 4070 laptop, 8 GB of GPU memory, 115 W",
    spots: [
      { id: "gpu", capacity: 30, resistance: 0.18, idle: 12, model: 0.95, others: 4 },
      { id: "cpu", capacity: 12, resistance: 0.35, idle: 8, model: 0.05, others: 40 },
    ],
    zones: [
      { id: "nvidia0", of: "gpu", limit: 87, step: 1 },
      { id: "coretemp/Package id 0", of: "cpu", limit: 100, step: 1 },
    ],
    sink: { capacity: 380, still: 1.2, blown: 0.34 },
    fan: [
      { celsius: 45, hysteresis: 6, speed: 0.3 },
      { celsius: 60, hysteresis: 6, speed: 0.55 },
      { celsius: 72, hysteresis: 6, speed: 0.8 },
      { celsius: 80, hysteresis: 5, speed: 1 },
    ],
    air: { coolest: 19, hottest: 38 },
    memory: { id: "nvidia0", total: 8.19 * GB, system: 0.3 * GB, load: 2 * GB },
    ladder: [
      rung("q4_k_xl", LAPTOP, 6.3 * GB, 280),
      rung("q4_k_xl-140", LAPTOP, 6.3 * GB, 140),
      rung("q4_k_xl-70", LAPTOP, 6.3 * GB, 70),
      rung("q3_k_xl-70", LAPTOP, 5.2 * GB, 70),
    ],
  },
] as const satisfies readonly BoxPreset[];
