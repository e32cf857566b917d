/**
 * Random numbers that depend on nothing but their seed, so that the simulated cell shows the same on
 * every machine. Source: sfc32 of PractRand (C. Doty-Humphrey), seeded through FNV-1a.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  /** Every list of parts has its own row of numbers: `new Random(7, "scene", 12)`. */
  constructor(...parts: readonly (string | number)[]) {
    const name = parts.join("/");
    this.a = fnv1a(name, 0x811c9dc5);
    this.b = fnv1a(name, 0x9e3779b9);
    this.c = fnv1a(name, 0x85ebca6b);
    for (let i = 0; i < 12; i += 1) this.next();
  }

  /** At least 0, below 1. */
  next(): number {
    const sum = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A whole number, both ends included. */
  whole(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.next());
  }

  /** Between -most and most. */
  around(most: number): number {
    return this.between(-most, most);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.next() * choices.length)] ?? choices[0];
  }

  /** Undefined of none. */
  anyOf<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.next() * choices.length)];
  }

  /** Of a normal distribution with mean 0 and deviation 1. Source: Box and Muller (1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
