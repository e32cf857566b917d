import type { StoredAccount, StoredSession } from "../../contract/accounts.ts";
import type { Clock } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { Accounts, hasAdmin } from "./accounts.ts";
import { FirstRun } from "./first-run.ts";
import { LoginLimits } from "./login-limits.ts";
import { Passwords } from "./passwords.ts";
import { SessionCookie } from "./session-cookie.ts";
import { Sessions } from "./sessions.ts";

interface Options {
  readonly data: string;
  /** Whether the service speaks TLS. */
  readonly secure: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Somebody who is logged in now. */
export interface Entered {
  readonly account: StoredAccount;
  readonly session: StoredSession;
  /** For the cookie. */
  readonly secret: string;
}

/** How people get in: the first admin by the link of the first start, everybody by name and password from then on. */
export class SignIn {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly cookie: SessionCookie;
  private readonly passwords = new Passwords();
  private readonly limits: LoginLimits;
  private readonly firstRun: FirstRun;

  constructor(private readonly options: Options) {
    const { data, clock, logger, secure } = options;
    const warn = (message: string) => logger.warn({ part: "api" }, message);
    this.accounts = new Accounts(data, this.passwords, warn);
    this.sessions = new Sessions({ data, accounts: this.accounts, clock, logger });
    this.limits = new LoginLimits(clock);
    this.firstRun = new FirstRun(clock);
    this.cookie = new SessionCookie(secure);
  }

  /** Takes up earlier logins; returns the token of the link for the first admin where there is none. Throws what the file system says. */
  start(): string | undefined {
    this.sessions.load();
    for (const { account, from } of this.sessions.places()) this.limits.remember(account, from);
    return this.accounts.hasAdmin() ? undefined : this.firstRun.offer();
  }

  /** Ms until this name may be tried from that address; 0: now. */
  wait(name: string, from: string): number {
    return this.limits.wait(name, from);
  }

  /** Rejects with LOGIN_REFUSED, alike for a wrong name and a wrong password, or with QUEUE_FULL. */
  async login(name: string, password: string, from: string): Promise<Entered> {
    const account = this.accounts.find(name);
    const right = await this.tried(name, from, account, password);
    if (!account || !right) throw new PerchError("LOGIN_REFUSED", "name or password is wrong");
    return this.enter(account, from);
  }

  /** Makes the first admin and logs it in. Rejects with FORBIDDEN, CONFLICT or REQUEST_INVALID. */
  async setUp(wish: { token: string; name: string; password: string }, from: string): Promise<Entered> {
    const { token, name, password } = wish;
    if (this.accounts.hasAdmin()) {
      this.firstRun.withdraw();
      throw hasAdmin();
    }
    const giveBack = this.firstRun.take(token);
    if (!giveBack)
      throw new PerchError(
        "FORBIDDEN",
        "this link counts no more: it was used, is older than a day, or is of an earlier start; restart the service for a new one, or use perch user add",
      );
    try {
      const account = await this.accounts.create(
        { name, password, role: "admin", by: "the link of the first start", first: true },
        this.options.clock.now(),
      );
      return this.enter(account, from);
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** A new password of one's own; one's other logins end. Rejects with LOGIN_REFUSED, REQUEST_INVALID or QUEUE_FULL. */
  async changeOwn(
    name: string,
    { current, password }: { current: string; password: string },
    from: string,
  ): Promise<Entered> {
    if (!(await this.tried(name, from, this.accounts.find(name), current)))
      throw new PerchError("LOGIN_REFUSED", "the password until now is another one");
    return this.enter(await this.accounts.change(name, { password }), from);
  }

  private async tried(
    name: string,
    from: string,
    account: StoredAccount | undefined,
    password: string,
  ): Promise<boolean> {
    const attempt = this.limits.begin(name, from);
    let right = false;
    try {
      right = await this.passwords.verify(account?.hash, password);
    } finally {
      if (attempt.end(right))
        this.options.logger.warn(
          { part: "api" },
          `too many wrong passwords, the last from ${from}: it has to wait`,
        );
    }
    return right;
  }

  private enter(account: StoredAccount, from: string): Entered {
    const begun = this.sessions.begin(account, from);
    this.limits.remember(account.name, from);
    return { account, ...begun };
  }
}
