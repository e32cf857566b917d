import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type StoredAccount, StoredSession } from "../../contract/accounts.ts";
import type { Clock } from "../../kernel/clock.ts";
import { messageOf } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { Accounts } from "./accounts.ts";
import { PrivateFiles } from "./private-files.ts";

const HOUR = 3_600_000;
/** A login that nobody uses is over after this, ms. */
export const IDLE = 12 * HOUR;
/** A login is over after this in any case, ms. */
export const LONGEST = 7 * 24 * HOUR;
/** Of one account; a further login ends the one that was quiet for longest. */
export const MOST_OF_ONE = 16;
/** How exactly the last use is kept, ms: not every request is worth a write. */
const SEEN_EVERY = 10 * 60_000;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

interface Options {
  readonly data: string;
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A login that counts, and whose it is now. */
export interface Login {
  readonly session: StoredSession;
  readonly account: StoredAccount;
}

/**
 * Who is logged in: sessions/ID.json in the data folder, by the hash of what the browser's cookie holds, so that a
 * login outlives a restart and a copied folder opens nothing. The running service alone makes and ends them, so it
 * knows them from memory; what an account may is looked up each time.
 */
export class Sessions {
  private readonly files: PrivateFiles<StoredSession>;
  /** By hash; the order is that of their last use. */
  private readonly known = new Map<string, StoredSession>();

  constructor(private readonly options: Options) {
    const { data, logger } = options;
    this.files = new PrivateFiles<StoredSession>({
      ...{ data, folder: "sessions", what: "session", schema: StoredSession, names: /^[0-9a-f]{16}$/ },
      nameOf: ({ id }) => id,
      warn: (message) => logger.warn({ part: "api" }, message),
    });
  }

  /** Takes up the logins of earlier runs. Throws what the file system says. */
  load(): void {
    const stored = this.files.list().sort((a, b) => a.seen - b.seen);
    for (const session of stored) this.known.set(session.hash, session);
    this.sweep();
  }

  /** Logs an account in; what is returned goes into the cookie and is kept nowhere. Throws what the file system says. */
  begin({ name, stamp }: StoredAccount, from: string): { secret: string; session: StoredSession } {
    this.sweep();
    const own = this.of(name);
    this.end(...own.slice(0, Math.max(0, own.length - MOST_OF_ONE + 1)));
    const secret = randomBytes(32).toString("base64url");
    const hash = hashOf(secret);
    const now = this.options.clock.now();
    const session = { id: hash.slice(0, 16), hash, account: name, stamp, from, created: now, seen: now };
    this.files.write(session);
    this.known.set(hash, session);
    return { secret, session };
  }

  /** The login that a cookie shows; undefined where it is none, is over, or its account is gone or has another password. */
  find(secret: string): Login | undefined {
    if (!SECRET.test(secret)) return undefined;
    const session = this.known.get(hashOf(secret));
    if (!session) return undefined;
    const account = this.accountOf(session);
    if (!account) {
      this.end(session);
      return undefined;
    }
    return { session: this.used(session), account };
  }

  /** Ends logins for good. */
  end(...sessions: readonly StoredSession[]): void {
    for (const { hash } of sessions) this.known.delete(hash);
    try {
      this.files.remove(...sessions.map(({ id }) => id));
    } catch (error) {
      this.told(`a login that is over could not be removed from ${this.files.folder}: ${messageOf(error)}`);
    }
  }

  /** An account's logins that count, the one that was quiet for longest first. */
  of(account: string): StoredSession[] {
    return [...this.known.values()].filter((one) => one.account === account && this.accountOf(one));
  }

  /** Where each account is logged in from. */
  places(): { account: string; from: string }[] {
    return [...this.known.values()];
  }

  private used(session: StoredSession): StoredSession {
    const now = this.options.clock.now();
    if (now - session.seen < SEEN_EVERY) return session;
    const seen = { ...session, seen: now };
    this.known.delete(session.hash);
    this.known.set(session.hash, seen);
    try {
      this.files.write(seen);
    } catch (error) {
      // It counts all the same; after a restart it may be over sooner.
      this.told(`the last use of a login is not kept: ${messageOf(error)}`);
    }
    return seen;
  }

  /** Whose it is, if it still counts. */
  private accountOf({ account: name, stamp, created, seen }: StoredSession): StoredAccount | undefined {
    const now = this.options.clock.now();
    if (now >= seen + IDLE || now >= created + LONGEST) return undefined;
    const account = this.options.accounts.find(name);
    return account?.stamp === stamp ? account : undefined;
  }

  private sweep(): void {
    this.end(...[...this.known.values()].filter((session) => !this.accountOf(session)));
  }

  private told(message: string): void {
    this.options.logger.warn({ part: "api" }, message);
  }
}

/** What a page has to send back to show that it could read an answer of this service: made of the cookie, kept nowhere. */
export const csrfOf = (secret: string): string =>
  createHmac("sha256", secret).update("perch csrf").digest("base64url");

/** Takes as long for a wrong one as for the right one. */
export function csrfFits(secret: string, shown: unknown): boolean {
  const wanted = Buffer.from(csrfOf(secret));
  const given = Buffer.from(typeof shown === "string" ? shown : "");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** 256 random bits: nothing to guess, so a quick hash does. */
const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");
