import { type Algorithm, hash, verify } from "@node-rs/argon2";
import { PASSWORD } from "../../contract/accounts.ts";
import { PerchError } from "../../kernel/errors.ts";

/** OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one thread. Memory in KiB. */
const COST = { algorithm: 2 satisfies Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Hashes at once: each takes a thread of Node's pool (four) and its 19 MiB, and the record needs threads too. */
const AT_ONCE = 2;
/** Hashes that may wait. */
const MOST_WAITING = 16;
/** Of a password that nobody knows, at the same cost. */
const DECOY =
  "$argon2id$v=19$m=19456,t=2,p=1$tBahyNU77yqBQfsI8XaxIg$oqX2b2qMQ1Y82Rd/Ybt7G9go6/Btni1GOhuijLvuyro";
/** Different characters that a password has at least: "aaaaaaaaaaaa" is no password. */
const FEWEST_DIFFERENT = 5;

/** Hashes and checks passwords off the event loop, a few at a time. */
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** PHC form. Rejects with QUEUE_FULL. */
  hash(password: string): Promise<string> {
    return this.inTurn(() => hash(plain(password), COST));
  }

  /**
   * Whether it is that password; without a hash it takes as long, so that nobody learns from the time which names
   * there are. Rejects with QUEUE_FULL.
   */
  async verify(known: string | undefined, password: string): Promise<boolean> {
    const text = plain(password);
    return this.inTurn(async () => {
      const right = await verify(known ?? DECOY, text);
      return right && known !== undefined;
    });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= AT_ONCE) {
      if (this.waiting.length >= MOST_WAITING)
        throw new PerchError("QUEUE_FULL", "too many people log in at once: try again in a few seconds");
      // Whoever ends hands its place on.
      await new Promise<void>((turn) => this.waiting.push(turn));
    } else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}

/** Throws REQUEST_INVALID that says what is wrong with a new password; it never repeats it. */
export function refusePoorPassword(password: string, name: string): void {
  const characters = [...plain(password)];
  const { shortest, longest } = PASSWORD;
  if (characters.length < shortest)
    throw poor(`it has ${characters.length} characters: take at least ${shortest}`);
  if (characters.length > longest)
    throw poor(`it has ${characters.length} characters: take at most ${longest}`);
  if (new Set(characters).size < FEWEST_DIFFERENT) throw poor("it is the same few characters over and over");
  const rest = plain(password)
    .toLowerCase()
    .replaceAll(name, "")
    .replaceAll(/perch|password/g, "");
  if ([...rest].length < shortest / 2)
    throw poor("it is little more than the name: others would try that first");
}

const poor = (why: string) => new PerchError("REQUEST_INVALID", `this password does not do: ${why}`);

/** Whatever keyboard it is typed on, the same characters are the same password (NIST SP 800-63B). */
const plain = (password: string): string => password.normalize("NFKC");
