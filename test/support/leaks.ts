import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { until } from "./until.ts";

/** From so many requests on the memory of the second half says something: before, all of it is what grows once. */
const ENOUGH = 2_000;
/** Bytes that the second half may leave behind: what still grows once, and less a request than any object that it makes. */
const OWN = { once: 2e6, each: 400 };
const ENGINE = { once: 8e6, each: 1_000 };
/** What may be open besides: connections that are kept. */
const SPARE = 8;

interface Mark {
  readonly ran: number;
  readonly descriptors: number;
  readonly held: number;
  readonly engine: number;
}

/** What many requests leave behind in this process and in the engine: descriptors, memory. */
export class Leaks {
  private ran = 0;
  private half: Mark | undefined;

  constructor(
    private readonly runs: number,
    /** Process id of the engine, where the requests are for it. */
    private readonly engine?: () => number,
  ) {}

  /** To be called after each request. */
  note(): void {
    this.ran += 1;
    if (this.ran === Math.ceil(this.runs / 2)) this.half = this.mark();
  }

  /** Fails where what is open or held has grown with the second half of the requests. */
  async expectNone(): Promise<void> {
    const { half } = this;
    if (!half) throw new Error("there were not as many requests as there should be");
    await until(() => descriptors() <= half.descriptors + SPARE);
    if (this.runs < ENOUGH) return;
    const end = this.mark();
    const requests = end.ran - half.ran;
    const own = end.held - half.held;
    const engine = end.engine - half.engine;
    process.stderr.write(`left behind by ${requests} requests: ${own} bytes, and ${engine} in the engine\n`);
    expect(own).toBeLessThan(OWN.once + requests * OWN.each);
    expect(engine).toBeLessThan(ENGINE.once + requests * ENGINE.each);
  }

  private mark(): Mark {
    return {
      ran: this.ran,
      descriptors: descriptors(),
      held: heldBytes(),
      engine: this.engine ? residentOf(this.engine()) : 0,
    };
  }
}

/** What this process holds once all that can go is gone. */
export function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Twice: what the first frees may hold more, by finalizers.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function residentOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

const descriptors = () => readdirSync("/proc/self/fd").length;
