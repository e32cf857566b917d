import { readFileSync } from "node:fs";
import { Agent, fetch, type RequestInit, type Response } from "undici";
import type { Config } from "../../contract/config.ts";
import { messageOf, PerchError } from "../../kernel/errors.ts";
import { certificateFile } from "./tls.ts";

/** Where a program on this box finds the service. */
export function serviceUrl({ http: { host, port, tls } }: Config): string {
  const near = { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `${tls === undefined ? "http" : "https"}://${near.includes(":") ? `[${near}]` : near}:${port}`;
}

/**
 * Asks the service of a configuration, as fetch does. With TLS it takes the certificate that lies in the
 * configuration's place and no other, whatever names stand in it. Throws PerchError SERVICE_UNREACHABLE where it may
 * not be read, and otherwise what the connection said.
 */
export async function askService(config: Config, path: string, init: RequestInit): Promise<Response> {
  const file = certificateFile(config.http, config.data);
  const dispatcher =
    file === undefined
      ? new Agent()
      : new Agent({
          connect: {
            ca: certificateIn(file),
            allowPartialTrustChain: true,
            checkServerIdentity: () => undefined,
          },
        });
  return fetch(`${serviceUrl(config)}${path}`, { ...init, dispatcher });
}

function certificateIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new PerchError(
      "SERVICE_UNREACHABLE",
      `the service's certificate cannot be read: ${messageOf(error)}; ask as the service's user, or with sudo`,
      error,
    );
  }
}
