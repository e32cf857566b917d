import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { HttpConfig } from "../../contract/config.ts";
import { messageOf, PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { isLoopback } from "../access/hosts.ts";
import { selfSigned } from "./certificate.ts";

const DAY = 86_400_000;
/** Days before its end at which a certificate is made anew. */
const RENEWAL = 30;

/** What the server shows, PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** sha256 of the certificate, as browsers show it. */
  readonly fingerprint: string;
}

/** Where the certificate of a configuration lies; undefined where it has none. */
export function certificateFile({ tls }: HttpConfig, data: string): string | undefined {
  if (tls === undefined) return undefined;
  return tls === "self-signed" ? join(data, "tls", "certificate.pem") : tls.certificate;
}

/**
 * The certificate and key that the configuration names, or the box's own, made where there is none. `now` is epoch
 * ms. Throws PerchError CONFIG_INVALID that says which file cannot be used and why.
 */
export function serverTls(
  http: HttpConfig,
  data: string,
  now: number,
  logger: Logger,
): ServerTls | undefined {
  if (http.tls === undefined) return undefined;
  const [certificate, key] =
    http.tls === "self-signed" ? ownFiles(http, data, now, logger) : [http.tls.certificate, http.tls.key];
  refuseReadable(key);
  const cert = read(certificate, "certificate");
  const secret = read(key, "key");
  const shown = parsed(certificate, () => new X509Certificate(cert));
  if (!shown.checkPrivateKey(parsed(key, () => createPrivateKey(secret))))
    throw unusable(key, `it is not the key of ${certificate}`);
  const ends = Date.parse(shown.validTo);
  if (ends < now + RENEWAL * DAY)
    logger.warn(
      { part: "api" },
      `${certificate} ${ends < now ? "is over since" : "ends"} ${shown.validTo}: renew it`,
    );
  return { cert, key: secret, fingerprint: shown.fingerprint256 };
}

/** The box's own certificate and key, made or made anew where need be. */
function ownFiles(http: HttpConfig, data: string, now: number, logger: Logger): [string, string] {
  const folder = join(data, "tls");
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (existsSync(key) && (statSync(key).mode & 0o077) !== 0) {
      logger.warn(
        { part: "api" },
        `others could read ${key}: it is a new one now, and so is the certificate`,
      );
      rmSync(key);
      rmSync(certificate, { force: true });
    }
    if (!existsSync(key)) replace(key, newKey());
    // The key stays where only the certificate is over.
    const secret = createPrivateKey(readFileSync(key));
    if (!fits(certificate, secret, http.names, now))
      replace(certificate, selfSigned(secret, hostsOf(http), now));
  } catch (error) {
    throw unusable(folder, `no certificate can be made: ${messageOf(error)}`);
  }
  return [certificate, key];
}

function fits(file: string, key: KeyObject, names: readonly string[], now: number): boolean {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(readFileSync(file));
  } catch {
    // Not there yet, or damaged: it is made anew either way.
    return false;
  }
  const lasts = Date.parse(certificate.validTo) > now + RENEWAL * DAY;
  return (
    lasts &&
    certificate.checkPrivateKey(key) &&
    names.every((name) => certificate.checkHost(name) !== undefined)
  );
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** What others may call this box. */
function hostsOf({ host, names }: HttpConfig): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80"))
    .map(({ address }) => address);
  const listened = host === "0.0.0.0" || host === "::" ? outside : isLoopback(host) ? [] : [host];
  return [...new Set(["localhost", ...names, "127.0.0.1", "::1", ...listened])];
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function refuseReadable(key: string): void {
  const stat = statSync(key, { throwIfNoEntry: false });
  if (stat && (stat.mode & 0o007) !== 0)
    throw unusable(key, "every user of this box may read it: chmod o-rwx it, and better replace it");
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unusable(file, `the ${what} cannot be read: ${messageOf(error)}`);
  }
}

function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw unusable(file, `it is no PEM file of its kind (${messageOf(error)})`);
  }
}

const unusable = (file: string, why: string) => new PerchError("CONFIG_INVALID", `http.tls: ${file}: ${why}`);
