import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { StoredToken } from "../../contract/access.ts";
import { PerchError } from "../../kernel/errors.ts";
import { PrivateFiles } from "./private-files.ts";

/** perch_<id>_<secret>: a scanner for leaked secrets knows it by its beginning, and a log reader whose it is by its id. */
const TOKEN = /^perch_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/;

/** What whoever makes a token decides. */
export type TokenWish = Pick<StoredToken, "name" | "role" | "by" | "expires" | "kiosk" | "lane" | "rate">;

/** What a shown token turned out to be. */
export type Found =
  | { readonly token: StoredToken }
  | { readonly expired: StoredToken }
  | { readonly unknown: true };

/** The tokens of a data folder: tokens/ID.json each. One that was revoked opens nothing from then on. */
export class Tokens {
  private readonly files: PrivateFiles<StoredToken>;

  /** `warn` is told of files that are not as they should be, once of each fault. */
  constructor(data: string, warn: (message: string) => void = () => undefined) {
    this.files = new PrivateFiles<StoredToken>({
      ...{ data, folder: "tokens", what: "token", schema: StoredToken, warn },
      names: /^[0-9a-f]{8}$/,
      nameOf: ({ id }) => id,
    });
  }

  get folder(): string {
    return this.files.folder;
  }

  /**
   * Makes a token; what is returned is all that ever shows the secret. `now` is epoch ms. Throws PerchError
   * TOKEN_INVALID where the name is taken or a kiosk has no id, or what the file system says.
   */
  create(wish: TokenWish, now: number): { token: string; stored: StoredToken } {
    if (wish.role === "kiosk" && wish.kiosk === undefined)
      throw new PerchError("TOKEN_INVALID", "a token of the role kiosk is for one kiosk: say which");
    const id = randomBytes(4).toString("hex");
    const secret = randomBytes(32).toString("base64url");
    const stored: StoredToken = {
      id,
      ...wish,
      hash: hashOf(secret).toString("hex"),
      created: new Date(now).toISOString(),
    };
    this.files.alone(() => {
      if (this.list().some(({ name }) => name === wish.name))
        throw new PerchError(
          "TOKEN_INVALID",
          `there is a token ${wish.name} already: revoke it first, or choose another name`,
        );
      this.files.write(stored);
    });
    return { token: `perch_${id}_${secret}`, stored };
  }

  /** Every token that counts or did until it expired, the oldest first. Throws what the file system says. */
  list(): StoredToken[] {
    return this.files.list().sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
  }

  /** Removes the tokens of that name or id for good; returns them. Throws PerchError TOKEN_INVALID where there is none. */
  revoke(nameOrId: string): StoredToken[] {
    const meant = this.list().filter(({ name, id }) => name === nameOrId || id === nameOrId);
    if (meant.length === 0)
      throw new PerchError("TOKEN_INVALID", `there is no token ${nameOrId}; perch token list shows them`);
    this.files.remove(...meant.map(({ id }) => id));
    return meant;
  }

  /** Takes as long for a wrong secret as for the right one. `now` is epoch ms. */
  find(shown: string, now: number): Found {
    const [, id, secret] = TOKEN.exec(shown) ?? [];
    if (id === undefined || secret === undefined) return { unknown: true };
    const stored = this.files.read(id);
    if (!stored || !timingSafeEqual(hashOf(secret), Buffer.from(stored.hash, "hex")))
      return { unknown: true };
    // One that names no kiosk would be every kiosk's.
    if (stored.role === "kiosk" && stored.kiosk === undefined) return { unknown: true };
    const over = stored.expires !== null && !(now < Date.parse(stored.expires));
    return over ? { expired: stored } : { token: stored };
  }
}

/**
 * Plain sha256: the secret is 256 random bits, so there is nothing to guess that a slow hash (argon2, scrypt) would
 * make dearer, and this one is computed for every request. Slow hashes are for what people think up.
 */
const hashOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();
