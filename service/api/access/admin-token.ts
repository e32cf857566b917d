import { randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "admin.token";

/**
 * What the command line shows to change something: whoever may read the data folder may do so. It is made
 * at the first start and stays, readable by the service's own user only.
 */
export class AdminToken {
  private readonly path: string;
  private value: string | undefined;

  constructor(data: string) {
    this.path = join(data, FILE);
  }

  /**
   * Makes the token if there is none, and a new one where others could read the old one; returns whether that
   * was so. Throws what the file system says.
   */
  prepare(): { exposed: boolean } {
    const exposed = existsSync(this.path) && (statSync(this.path).mode & 0o077) !== 0;
    if (exposed) rmSync(this.path);
    if (!existsSync(this.path))
      writeFileSync(this.path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    this.value = readFileSync(this.path, "utf8").trim();
    return { exposed };
  }

  /** Whether it is this one; takes as long for a wrong one as for the right one. */
  matches(shown: string): boolean {
    if (this.value === undefined || this.value.length < 32) return false;
    const wanted = Buffer.from(this.value);
    const given = Buffer.from(shown);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  /** The token of a data folder, for the command line. Throws what the file system says. */
  static read(data: string): string {
    return readFileSync(join(data, FILE), "utf8").trim();
  }
}
