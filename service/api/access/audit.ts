import type { AuditRow } from "../../contract/access.ts";
import type { Clock } from "../../kernel/clock.ts";
import { messageOf } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";

/** Characters that are kept of what was asked, and of why it was refused. */
const LONGEST = 500;

interface Options {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when the row is durable. */
  readonly write: (row: AuditRow) => Promise<void>;
}

/** Notes every change: who asked for what, from where, and what came of it. */
export class Audit {
  constructor(private readonly options: Options) {}

  /**
   * Does what was asked and notes it, also where it is refused: then the error goes on. A change does not wait for
   * its row, which comes late where the disk is full: a box that is too hot has to obey all the same.
   */
  change<T>(by: Pick<AuditRow, "who" | "role" | "from">, what: string, act: () => T): T {
    const refused = (error: unknown): never => {
      this.note(by, what, `refused: ${messageOf(error)}`);
      throw error;
    };
    const done = <R>(result: R): R => {
      this.note(by, what, "done");
      return result;
    };
    let result: T;
    try {
      result = act();
    } catch (error) {
      return refused(error);
    }
    // What takes its time is noted when it is over.
    return result instanceof Promise ? (result.then(done, refused) as T) : done(result);
  }

  private note(by: Pick<AuditRow, "who" | "role" | "from">, what: string, outcome: string): void {
    const { clock, logger, write } = this.options;
    write({ at: clock.now(), ...by, what: cut(what), outcome: cut(outcome) }).catch((error: unknown) => {
      logger.warn({ part: "api" }, `a change by ${by.who} is not in the audit: ${messageOf(error)}`);
    });
  }
}

const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
