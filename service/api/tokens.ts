import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Value } from "typebox/value";
import { StoredToken } from "../contract/access.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";

const FOLDER = "tokens";
/** perch_<id>_<secret>: a scanner for leaked secrets knows it by its beginning, and a log reader whose it is by its id. */
const TOKEN = /^perch_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/;
/** What a token's file holds at most, bytes. */
const LARGEST = 4096;

/** What whoever makes a token decides. */
export type TokenWish = Pick<StoredToken, "name" | "role" | "by" | "expires" | "kiosk" | "lane" | "rate">;

/** What a shown token turned out to be. */
export type Found =
  | { readonly token: StoredToken }
  | { readonly expired: StoredToken }
  | { readonly unknown: true };

/**
 * The tokens of a data folder: tokens/ID.json each, readable by their owner only. A token is looked up in its own
 * file each time it is shown, so one that was made or revoked beside a running service counts at once, and nobody
 * has to agree with anybody on who writes.
 */
export class Tokens {
  readonly folder: string;
  private readonly told = new Set<string>();

  /** `warn` is told of files that are not as they should be, once of each fault. */
  constructor(
    private readonly data: string,
    private readonly warn: (message: string) => void = () => undefined,
  ) {
    this.folder = join(data, FOLDER);
  }

  /**
   * Makes a token; what is returned is all that ever shows the secret. `now` is epoch ms. Throws PerchError
   * TOKEN_INVALID where the name is taken, or what the file system says.
   */
  create(wish: TokenWish, now: number): { token: string; stored: StoredToken } {
    if (this.list().some(({ name }) => name === wish.name))
      throw new PerchError(
        "TOKEN_INVALID",
        `there is a token ${wish.name} already: revoke it first, or choose another name`,
      );
    const id = randomBytes(4).toString("hex");
    const secret = randomBytes(32).toString("base64url");
    const stored: StoredToken = {
      id,
      ...wish,
      hash: hashOf(secret).toString("hex"),
      created: new Date(now).toISOString(),
    };
    this.write(stored);
    return { token: `perch_${id}_${secret}`, stored };
  }

  /** Every token that counts or did until it expired, the oldest first. Throws what the file system says. */
  list(): StoredToken[] {
    const names = orNone(() => readdirSync(this.folder), []);
    return names
      .filter((name) => /^[0-9a-f]{8}\.json$/.test(name))
      .flatMap((name) => this.read(name.slice(0, 8)) ?? [])
      .sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
  }

  /** Removes the tokens of that name or id for good; returns them. Throws PerchError TOKEN_INVALID where there is none. */
  revoke(nameOrId: string): StoredToken[] {
    const meant = this.list().filter(({ name, id }) => name === nameOrId || id === nameOrId);
    if (meant.length === 0)
      throw new PerchError("TOKEN_INVALID", `there is no token ${nameOrId}; perch token list shows them`);
    for (const { id } of meant) rmSync(this.path(id));
    // A power cut must not bring back what was revoked.
    syncFolder(this.folder);
    return meant;
  }

  /** Takes as long for a wrong secret as for the right one. `now` is epoch ms. */
  find(shown: string, now: number): Found {
    const [, id, secret] = TOKEN.exec(shown) ?? [];
    if (id === undefined || secret === undefined) return { unknown: true };
    const stored = this.read(id);
    if (!stored || !timingSafeEqual(hashOf(secret), Buffer.from(stored.hash, "hex")))
      return { unknown: true };
    const over = stored.expires !== null && !(now < Date.parse(stored.expires));
    return over ? { expired: stored } : { token: stored };
  }

  private path(id: string): string {
    return join(this.folder, `${id}.json`);
  }

  private write(stored: StoredToken): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const { uid, gid } = statSync(this.data);
    const asRoot = process.getuid?.() === 0;
    // Made with sudo, it still has to be the service's to read.
    if (asRoot) chownSync(this.folder, uid, gid);
    const draft = join(this.folder, `${stored.id}.new`);
    const file = openSync(draft, "wx", 0o600);
    try {
      if (asRoot) fchownSync(file, uid, gid);
      writeFileSync(file, `${JSON.stringify(stored, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.path(stored.id));
    syncFolder(this.folder);
  }

  /** The token in a file; undefined where there is none that may be believed. */
  private read(id: string): StoredToken | undefined {
    const path = this.path(id);
    try {
      this.checkFolder();
      const file = orNone(() => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW), undefined);
      if (file === undefined) return undefined;
      try {
        return tokenIn(file, id);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      this.tell(`the token in ${path} does not count: ${messageOf(error)}`);
      return undefined;
    }
  }

  private tell(message: string): void {
    if (this.told.has(message)) return;
    this.told.add(message);
    this.warn(message);
  }

  private checkFolder(): void {
    const stat = orNone(() => statSync(this.folder), undefined);
    if (!stat) return;
    refuseForeign(stat, this.folder);
    if ((stat.mode & 0o077) !== 0) chmodSync(this.folder, 0o700);
  }
}

/**
 * Plain sha256: the secret is 256 random bits, so there is nothing to guess that a slow hash (argon2, scrypt) would
 * make dearer, and this one is computed for every request. Slow hashes are for what people think up.
 */
const hashOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();

function tokenIn(file: number, id: string): StoredToken {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size > LARGEST) throw new Error("it is no token's file");
  refuseForeign(stat, "it");
  if ((stat.mode & 0o077) !== 0) fchmodSync(file, 0o600);
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Value.Check(StoredToken, value) || value.id !== id) throw new Error("it is damaged");
  return value;
}

/** What others may write may hold a token that they made for themselves; what they may only read holds no secret. */
function refuseForeign({ mode, uid }: Stats, what: string): void {
  if ((mode & 0o022) !== 0)
    throw new Error(
      `${what} may be written by others: look whether all of it is yours, remove what is not, then chmod go-rwx`,
    );
  const own = process.getuid?.();
  // Root reads the files of the service's user; everybody reads what root made.
  if (own !== undefined && own !== 0 && uid !== own && uid !== 0)
    throw new Error(`${what} belongs to another user (${uid})`);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function orNone<T, N>(read: () => T, none: N): T | N {
  try {
    return read();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return none;
    throw error;
  }
}
