import type { BoxPreset, SimulatedRung } from "./preset.ts";

/** What the box is asked to do, and what is around it. */
export interface Work {
  /** Level whose model it should hold; it is loaded when another one was there. */
  readonly level: string | null;
  /** Share of the step in which the model works. */
  readonly duty: number;
}
export interface Surroundings {
  /** Degrees Celsius. */
  readonly air: number;
  /** How busy other programs are, 0 to 1. */
  readonly others: number;
  /** Bytes of the model's pool that another program holds. */
  readonly taken: number;
}

/** Longest step of the integration, s: a tenth of the fastest spot's time constant. */
const STEP = 0.25;
/** Passive cooling: the clock falls while a spot is at its limit and comes back when it is this much cooler. */
const COOLER = 2;
const CLOCK_DOWN = 0.1;
const CLOCK_UP = 0.03;
const LOWEST_CLOCK = 0.3;
/** A fan takes this long to change its speed, s. */
const FAN_LAG = 4;

/** Share of its power that a model at work draws for memory. */
const MEMORY_PART = 0.35;

/**
 * Share of the full power at a clock: the memory's part falls as fast as the work, the cores' faster, since
 * their voltage falls too (P ~ f V^2; V is linear in f and falls to some 0.7 at a third of the clock).
 */
const powerAt = (clock: number) => clock * (MEMORY_PART + (1 - MEMORY_PART) * (0.55 + 0.45 * clock) ** 2);

/**
 * A box in a closed loop: spots of a chip heat a sink, the sink warms the air, a fan helps, the hardware slows
 * itself down at its limit, and a model has to fit into the memory beside other programs. It depends on
 * nothing but what it is stepped through. Lumped RC network: F. Incropera, Fundamentals of Heat and Mass
 * Transfer, ch. 5; integrated by Euler's method in steps of a quarter second.
 */
export class Box {
  readonly celsius: number[];
  sink: number;
  fan = 0;
  /** Share of the full clock. */
  clock = 1;
  watts = 0;
  /** Answers given so far; of an answer under way its share. */
  answers = 0;
  /** Seconds in which the model worked. */
  worked = 0;
  /** Level whose model is there and ready. */
  ready: string | null = null;
  /** Bytes of the pool that the model holds; while it loads, what has been read. */
  own = 0;
  /** Model that found no memory in this step, loading or running. */
  failed: string | null = null;
  private asked: string | null = null;
  private held: SimulatedRung | undefined;
  private step_ = 0;
  private around: Surroundings;

  constructor(
    readonly preset: BoxPreset,
    around: Surroundings,
  ) {
    this.around = around;
    this.sink = around.air;
    this.celsius = preset.spots.map(() => around.air);
  }

  /** A box of the same state that goes its own way. */
  copy(): Box {
    const other = new Box(this.preset, this.around);
    return Object.assign(other, this, { celsius: [...this.celsius] });
  }

  /** What is left of the model's pool, bytes. */
  get free(): number {
    const { total, system } = this.preset.memory;
    return Math.max(0, total - system - this.around.taken - this.own);
  }

  get hottest(): number {
    return Math.max(...this.celsius);
  }

  /** Temperature of a zone as it truly is. */
  zone(of: string): number {
    if (of === "hottest") return this.hottest;
    if (of === "sink") return this.sink;
    return this.celsius[this.preset.spots.findIndex(({ id }) => id === of)] ?? this.sink;
  }

  /** How far the zone that is nearest to its limit is under it, K; negative above it. */
  get headroom(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const zone of this.preset.zones) least = Math.min(least, zone.limit - this.zone(zone.of));
    return least;
  }

  /** A level that the preset does not know is taken for its best. */
  rung(level: string): SimulatedRung | undefined {
    return this.preset.ladder.find((rung) => rung.level === level) ?? this.preset.ladder[0];
  }

  /** Moves on by `seconds`. */
  step(seconds: number, work: Work, around: Surroundings): void {
    this.around = around;
    this.failed = null;
    for (let left = seconds; left > 1e-9; left -= STEP) this.move(Math.min(STEP, left), work);
  }

  /** Moves on by `seconds` with a model that draws these watts, wherever it lies: heat alone. */
  warm(seconds: number, watts: number, around: Surroundings): void {
    this.around = around;
    for (let left = seconds; left > 1e-9; left -= STEP) {
      const dt = Math.min(STEP, left);
      this.heat(dt, watts);
      this.blow(dt);
      this.throttle(dt);
    }
  }

  private move(dt: number, work: Work): void {
    this.hold(work.level, dt);
    const rung = this.ready === null ? undefined : this.held;
    const duty = rung ? work.duty : 0;
    if (rung) {
      this.answers += (duty * dt * this.clock) / rung.seconds;
      this.worked += duty * dt;
    }
    this.heat(dt, duty * (rung?.watts ?? 0));
    this.blow(dt);
    this.throttle(dt);
  }

  /** The model that is asked for comes from disk, and finds memory or not. */
  private hold(level: string | null, dt: number): void {
    if (level !== this.asked) {
      this.asked = level;
      this.held = level === null ? undefined : this.rung(level);
      this.ready = null;
      this.own = 0;
    }
    const { total, system, load } = this.preset.memory;
    if (this.held && this.ready === null) {
      this.own = Math.min(this.held.bytes, this.own + load * dt);
      if (this.own === this.held.bytes) this.ready = level;
    }
    if (this.held && total - system - this.around.taken - this.own < 0) {
      this.failed = level;
      this.held = undefined;
      this.ready = null;
      this.own = 0;
    }
  }

  private heat(dt: number, model: number): void {
    const { spots, sink } = this.preset;
    const dynamic = powerAt(this.clock);
    let into = 0;
    this.watts = 0;
    for (const [i, spot] of spots.entries()) {
      const watts = spot.idle + (model * spot.model + spot.others * this.around.others) * dynamic;
      const at = this.celsius[i] ?? this.sink;
      const flow = (at - this.sink) / spot.resistance;
      this.celsius[i] = at + (dt * (watts - flow)) / spot.capacity;
      into += flow;
      this.watts += watts;
    }
    const conductance = 1 / sink.still + this.fan * (1 / sink.blown - 1 / sink.still);
    this.sink += (dt * (into - (this.sink - this.around.air) * conductance)) / sink.capacity;
  }

  private blow(dt: number): void {
    const { fan } = this.preset;
    const hottest = this.hottest;
    let step = this.step_;
    while (hottest >= (fan[step]?.celsius ?? Number.POSITIVE_INFINITY)) step += 1;
    for (
      let below = fan[step - 1];
      below && hottest < below.celsius - below.hysteresis;
      below = fan[step - 1]
    )
      step -= 1;
    this.step_ = step;
    const wanted = fan[step - 1]?.speed ?? 0;
    this.fan += (wanted - this.fan) * Math.min(1, dt / FAN_LAG);
  }

  private throttle(dt: number): void {
    const headroom = this.headroom;
    if (headroom <= 0) this.clock = Math.max(LOWEST_CLOCK, this.clock - CLOCK_DOWN * dt);
    else if (headroom > COOLER) this.clock = Math.min(1, this.clock + CLOCK_UP * dt);
  }
}
