import { networkInterfaces } from "node:os";
import type { HttpConfig } from "../../contract/config.ts";

/**
 * The link that makes the first admin, as a browser can open it. `url` is where the service listens. The token stands
 * behind the #: a browser sends that to nobody, so it is in no server's log and in no Referer.
 */
export function setupLink({ host, names }: HttpConfig, url: string, token: string): string {
  const shown = new URL("/setup", url);
  const everywhere = host === "0.0.0.0" || host === "::";
  if (everywhere) shown.hostname = names[0] ?? outside() ?? shown.hostname;
  shown.hash = token;
  return shown.href;
}

/** An address of this box that others can reach. */
function outside(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address;
}
