/**
 * What our children hold of a pool, where the system does not say it by process: by how much its use has grown
 * since none of them ran. What others take or give back in the meantime is counted as ours.
 */
export class HeldSince {
  private before: number | undefined;

  /** `used`: bytes that all together use now. Gives bytes; 0 while it was never seen without children. */
  of(used: number, children: number): number {
    if (children === 0) this.before = used;
    return children === 0 || this.before === undefined ? 0 : Math.max(0, used - this.before);
  }
}
