import type { Clock } from "./clock.ts";

/** Why something left the queue other than by its turn. */
export type QueueDrop = "deadline" | "superseded" | "full";

export interface Ticket<T> {
  readonly value: T;
  readonly lane: string;
  /** When it is dropped if its turn has not come, monotonic ms. */
  readonly deadline: number;
  /** Of those that wait with the same key, only the one added last stays. */
  readonly newest?: string;
}

export interface LaneRule {
  readonly name: string;
  /**
   * How many of earlier lanes may go before one that waits here; then it has its turn before all but the first
   * lane. One that waits here also keeps its place in a full queue against other lanes with patience. Without it, it waits for as long as others come.
   */
  readonly patience?: number;
}

interface Options<T> {
  /** The lanes, first served first. */
  readonly lanes: readonly LaneRule[];
  /** Most tickets that wait. */
  readonly capacity: number;
  readonly clock: Clock;
  /** Told of every ticket that is dropped, a refused newcomer included. */
  onDrop(ticket: Ticket<T>, reason: QueueDrop): void;
}

/**
 * Tickets that wait in lanes: an earlier lane goes first, though not for ever, and within a lane who came first. It
 * holds no more than its capacity, but one of each lane with patience: a newcomer takes the place of the oldest of the
 * last lane that waits, if that lane comes after its own, and is refused otherwise. What passes its deadline is
 * dropped at that moment, not when its turn would have come.
 */
export class BoundedQueue<T> {
  private readonly lanes: Map<string, Ticket<T>[]>;
  /** How many of earlier lanes went while one of a lane waited. */
  private readonly passedBy = new Map<string, number>();
  private size = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(private readonly options: Options<T>) {
    this.lanes = new Map(options.lanes.map(({ name }) => [name, []]));
  }

  /** How many wait. */
  get length(): number {
    return this.size;
  }

  /** Adds one behind the others of its lane. Whatever has to go for it, or it itself, is told to onDrop. */
  add(ticket: Ticket<T>): void {
    const lane = this.lane(ticket.lane);
    if (this.dropIfLate(ticket)) return;
    this.dropLate();
    this.dropOlderOf(ticket);
    const full = this.size >= this.options.capacity && !this.keepsOne(ticket.lane, 0);
    if (full && !this.makeRoom(ticket.lane)) {
      this.options.onDrop(ticket, "full");
      return;
    }
    lane.push(ticket);
    this.size += 1;
    this.arm();
  }

  /**
   * Puts one back in front of its lane: its turn had come, but nothing had begun. Unlike add, this may
   * go over the capacity by as many as were taken, and a newer ticket with its key makes it superseded.
   */
  putBack(ticket: Ticket<T>): void {
    const lane = this.lane(ticket.lane);
    if (this.dropIfLate(ticket)) return;
    if (ticket.newest !== undefined && this.all().some(({ newest }) => newest === ticket.newest)) {
      this.options.onDrop(ticket, "superseded");
      return;
    }
    lane.unshift(ticket);
    this.size += 1;
    this.arm();
  }

  /** Takes the one whose turn it is among those that may go; undefined where none waits. */
  take(may: (value: T) => boolean = () => true): Ticket<T> | undefined {
    this.dropLate();
    const name = this.nextLane(may);
    const ticket = name === undefined ? undefined : this.lane(name).find(({ value }) => may(value));
    if (name === undefined || !ticket) return undefined;
    this.countPassedBy(name);
    this.remove(ticket);
    return ticket;
  }

  /** Takes one out wherever it waits; false where it does not wait. */
  remove(ticket: Ticket<T>): boolean {
    const lane = this.lane(ticket.lane);
    const index = lane.indexOf(ticket);
    if (index < 0) return false;
    lane.splice(index, 1);
    this.size -= 1;
    this.arm();
    return true;
  }

  /** Takes all, in the order of their turns. */
  takeAll(): Ticket<T>[] {
    const all = this.all();
    for (const lane of this.lanes.values()) lane.length = 0;
    this.size = 0;
    this.arm();
    return all;
  }

  /** The lane whose turn it is: the first, then the one that was passed by for too long, then the earliest. */
  private nextLane(may: (value: T) => boolean): string | undefined {
    const waiting = this.options.lanes.filter(({ name }) => this.lane(name).some(({ value }) => may(value)));
    const [earliest] = waiting;
    if (earliest === this.options.lanes[0]) return earliest?.name;
    const over = waiting.find(
      ({ name, patience }) => (this.passedBy.get(name) ?? 0) >= (patience ?? Infinity),
    );
    return (over ?? earliest)?.name;
  }

  private countPassedBy(taken: string): void {
    const names = this.options.lanes.map(({ name }) => name);
    for (const name of names.slice(names.indexOf(taken) + 1))
      if (this.lane(name).length > 0) this.passedBy.set(name, (this.passedBy.get(name) ?? 0) + 1);
    this.passedBy.delete(taken);
  }

  /** Whether a lane has patience and no more than so many that wait: those are not for others to take. */
  private keepsOne(lane: string, most: number): boolean {
    const { patience } = this.options.lanes.find(({ name }) => name === lane) ?? {};
    return patience !== undefined && this.lane(lane).length <= most;
  }

  /** All that wait, in the order of their turns. */
  all(): Ticket<T>[] {
    return [...this.lanes.values()].flat();
  }

  private lane(name: string): Ticket<T>[] {
    const lane = this.lanes.get(name);
    if (!lane) throw new Error(`no lane ${name}`);
    return lane;
  }

  private drop(ticket: Ticket<T>, reason: QueueDrop): void {
    this.remove(ticket);
    this.options.onDrop(ticket, reason);
  }

  private dropIfLate(ticket: Ticket<T>): boolean {
    if (ticket.deadline > this.options.clock.monotonic()) return false;
    this.options.onDrop(ticket, "deadline");
    return true;
  }

  private dropLate(): void {
    const now = this.options.clock.monotonic();
    for (const ticket of this.all()) if (ticket.deadline <= now) this.drop(ticket, "deadline");
  }

  private dropOlderOf({ newest }: Ticket<T>): void {
    if (newest === undefined) return;
    for (const ticket of this.all()) if (ticket.newest === newest) this.drop(ticket, "superseded");
  }

  /** Drops the oldest of the last lane that waits, if that lane comes after the newcomer's. */
  private makeRoom(newcomer: string): boolean {
    const shares = this.options.lanes.some(
      ({ name, patience }) => name === newcomer && patience !== undefined,
    );
    for (const { name } of this.options.lanes.toReversed()) {
      if (name === newcomer) return false;
      if (shares && this.keepsOne(name, 1)) continue;
      const oldest = this.lane(name)[0];
      if (!oldest) continue;
      this.drop(oldest, "full");
      return true;
    }
    return false;
  }

  /** One timer, for the earliest deadline. */
  private arm(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    if (this.size === 0) return;
    const earliest = Math.min(...this.all().map(({ deadline }) => deadline));
    const wait = Math.max(1, Math.ceil(earliest - this.options.clock.monotonic()));
    // setTimeout takes no more than 2^31 - 1 ms; a later deadline is looked at again then.
    this.cancelTimer = this.options.clock.after(Math.min(wait, 2 ** 31 - 1), () => {
      this.dropLate();
      this.arm();
    });
  }
}
