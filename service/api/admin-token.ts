import { randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "admin.token";

/**
 * What a program on this box shows to change something: whoever may read the data folder may do so. It is made
 * at the first start and stays, readable by the service's own user only.
 */
export class AdminToken {
  private readonly path: string;
  private value: string | undefined;

  constructor(data: string) {
    this.path = join(data, FILE);
  }

  /** Makes the token if there is none. Throws what the file system says. */
  prepare(): void {
    if (!existsSync(this.path))
      writeFileSync(this.path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    chmodSync(this.path, 0o600);
    this.value = readFileSync(this.path, "utf8").trim();
  }

  /** Whether an Authorization header holds it; takes as long for a wrong one as for the right one. */
  matches(header: string | undefined): boolean {
    if (this.value === undefined || this.value.length < 32) return false;
    const wanted = Buffer.from(`Bearer ${this.value}`);
    const given = Buffer.from(header ?? "");
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  /** The token of a data folder, for the command line. Throws what the file system says. */
  static read(data: string): string {
    return readFileSync(join(data, FILE), "utf8").trim();
  }
}
