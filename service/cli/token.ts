import { userInfo } from "node:os";
import { Tokens, type TokenWish } from "../api/access/tokens.ts";
import { loadConfig } from "../config/config.ts";
import { API_LANES, parseRate, ROLES, type Role, rateText, type StoredToken } from "../contract/access.ts";
import { parseDuration } from "../contract/units.ts";
import { inData, noteByHand } from "./by-hand.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What to do, and with which token: `revoke grafana`. */
  readonly words: readonly string[];
  readonly name?: string;
  readonly role?: string;
  readonly kiosk?: string;
  readonly lane?: string;
  readonly expires?: string;
  readonly rate?: string;
  readonly json?: boolean;
}

/** Ten years; ms. */
const LONGEST = 3650 * 86_400_000;
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** `perch token`: makes, lists and revokes tokens in the data folder. Resolves to the exit code. */
export async function token(options: Options): Promise<number> {
  const [action, word, ...more] = options.words;
  if (action === undefined) throw new UsageError("what about tokens? perch token create, list or revoke");
  if (more.length > 0 || (word !== undefined && action !== "revoke"))
    throw new UsageError(`perch token ${action} does not take "${more[0] ?? word}"`);
  refuseStray(action, options);
  // What is to be done is understood before anything is read.
  const wish = action === "create" ? wishOf(options) : undefined;
  const { data } = loadConfig(options.config, () => undefined);
  const tokens = new Tokens(data, (message) => process.stderr.write(`perch: ${message}\n`));
  if (wish) return inData(data, "the tokens", () => create(tokens, wish, data));
  if (action === "list") return inData(data, "the tokens", () => list(tokens.list(), options.json ?? false));
  if (action !== "revoke")
    throw new UsageError(`perch token does not know ${action}: create, list or revoke`);
  if (word === undefined) throw new UsageError("revoke which? perch token revoke NAME");
  if (/^perch_.{40}/.test(word))
    throw new UsageError(
      "that is a whole token, and every user of the box could read it here: give its name or id",
    );
  return inData(data, "the tokens", () => revoke(tokens, word, data));
}

function refuseStray(action: string, { name, role, kiosk, lane, expires, rate, json }: Options): void {
  for (const [option, value] of Object.entries({ name, role, kiosk, lane, expires, rate }))
    if (value !== undefined && action !== "create")
      throw new UsageError(`--${option} belongs to perch token create`);
  if (json !== undefined && action !== "list") throw new UsageError("--json belongs to perch token list");
}

function wishOf({ name, role, kiosk, lane, expires, rate }: Options): TokenWish {
  if (name === undefined || !NAME.test(name))
    throw new UsageError(`--name ${name ?? "is missing"}: must be lower case letters, digits, - and _`);
  if (/^[0-9a-f]{8}$/.test(name)) throw new UsageError(`--name ${name}: looks like a token's id`);
  if (!isRole(role))
    throw new UsageError(`--role ${role ?? "is missing"}: must be one of ${ROLES.join(", ")}`);
  if ((kiosk !== undefined) !== (role === "kiosk"))
    throw new UsageError("--kiosk ID says which kiosk a token of the role kiosk is for, and of no other");
  if (kiosk !== undefined && !NAME.test(kiosk))
    throw new UsageError(`--kiosk ${kiosk}: must be lower case letters, digits, - and _`);
  if (lane !== undefined && role !== "api") throw new UsageError("--lane is for the role api");
  const known = API_LANES.find((one) => one === lane);
  if (lane !== undefined && known === undefined)
    throw new UsageError(`--lane ${lane}: must be ${API_LANES.join(" or ")}`);
  const limit = rate === undefined ? undefined : parseRate(rate);
  if (rate !== undefined && limit === undefined)
    throw new UsageError(`--rate ${rate}: must be a rate like 5/s, 60/min or 1000/h`);
  return {
    ...{ name, role, by: userInfo().username, expires: expiryOf(expires) },
    ...(kiosk !== undefined && { kiosk }),
    ...(role === "api" && { lane: known ?? "api" }),
    ...(limit && { rate: limit }),
  };
}

const isRole = (text: string | undefined): text is Role => ROLES.some((role) => role === text);

function expiryOf(expires: string | undefined): string | null {
  if (expires === undefined) return null;
  const span = parseDuration(expires);
  if (span === undefined || span < 1 || span > LONGEST)
    throw new UsageError(`--expires ${expires}: must be a duration like 12h or 90d, at most 3650d`);
  return new Date(Date.now() + span).toISOString();
}

function create(tokens: Tokens, wish: TokenWish, data: string): number {
  const { token: shown, stored } = tokens.create(wish, Date.now());
  noteByHand(data, `token create ${stored.name} (${limitsOf(stored)})`);
  // The token alone on standard output, so that it can go into a file or a vault unseen.
  process.stdout.write(`${shown}\n`);
  process.stderr.write(`${stored.name}: ${limitsOf(stored)}. It is shown this once: keep it now.\n`);
  return 0;
}

function revoke(tokens: Tokens, word: string, data: string): number {
  for (const { name, id } of tokens.revoke(word)) {
    noteByHand(data, `token revoke ${name} (${id})`);
    process.stdout.write(`${name} (${id}) opens nothing any more\n`);
  }
  return 0;
}

function list(stored: readonly StoredToken[], json: boolean): number {
  if (json) {
    const shown = stored.map(({ hash: _hash, ...rest }) => rest);
    process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
  } else if (stored.length === 0) process.stdout.write("there are no tokens; perch token create makes one\n");
  else
    process.stdout.write(
      stored.map((one) => `${one.name.padEnd(20)} ${one.id}  ${limitsOf(one)}\n`).join(""),
    );
  return 0;
}

function limitsOf({ role, kiosk, lane, rate, expires }: StoredToken): string {
  const over = expires !== null && Date.parse(expires) <= Date.now();
  return [
    role,
    ...(kiosk === undefined ? [] : [`kiosk ${kiosk}`]),
    ...(lane === undefined ? [] : [`lane ${lane}`]),
    ...(rate === undefined ? [] : [`at most ${rateText(rate)}`]),
    expires === null
      ? "does not expire"
      : `${over ? "EXPIRED" : "expires"} ${expires.slice(0, 16).replace("T", " ")} UTC`,
  ].join(", ");
}
