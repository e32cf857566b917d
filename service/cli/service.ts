import type { RequestInit, Response } from "undici";
import { AdminToken } from "../api/access/admin-token.ts";
import { askService, serviceUrl } from "../api/tls/client.ts";
import type { Config } from "../contract/config.ts";
import { isPerchError, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { UsageError } from "./usage.ts";

interface Wish extends RequestInit {
  /** False: what anybody on the box may ask is asked without the token, which not everybody may read. */
  readonly token?: boolean;
}

/** The service of a configuration, as a command line on its box talks to it: with the local administrator's token. */
export class RunningService {
  readonly url: string;

  constructor(private readonly config: Config) {
    if (config.http.port === 0)
      throw new UsageError("http.port is 0, any free one: set it, so that the service can be found");
    this.url = serviceUrl(config);
  }

  /**
   * Asks as fetch does; the body of an answer that is not 2xx is left to the caller. Throws PerchError
   * SERVICE_UNREACHABLE where nobody answers or the token may not be read.
   */
  async ask(path: string, { token = true, ...init }: Wish = {}): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), ...(token && this.authorization()) };
    try {
      return await askService(this.config, path, { ...init, headers });
    } catch (error) {
      if (isPerchError(error) || (error instanceof Error && error.name === "AbortError")) throw error;
      throw new PerchError(
        "SERVICE_UNREACHABLE",
        `no service answers at ${this.url}: is it running, and with this configuration?`,
        error,
      );
    }
  }

  /** Asks for JSON, or puts an object. Throws what the service says is wrong. */
  async json<T>(path: string, { body, ...init }: Omit<Wish, "body"> & { body?: object } = {}): Promise<T> {
    const sent = body && {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    };
    const response = await this.ask(path, { ...sent, ...init });
    if (!response.ok) throw await refusalOf(response);
    return (await response.json()) as T;
  }

  /** Whether a service answers there, within moments. */
  async lives(): Promise<boolean> {
    try {
      const response = await this.ask("/health/live", { token: false, signal: AbortSignal.timeout(2_000) });
      await response.body?.cancel();
      return response.ok;
    } catch (error) {
      // Whatever the reason: it cannot be asked.
      if (error instanceof Error) return false;
      throw error;
    }
  }

  private authorization(): { authorization: string } {
    const { data } = this.config;
    try {
      return { authorization: `Bearer ${AdminToken.read(data)}` };
    } catch (error) {
      throw new PerchError(
        "SERVICE_UNREACHABLE",
        systemCode(error) === "ENOENT"
          ? `there is no admin.token in ${data}: has the service run with this configuration?`
          : `the token of ${data} cannot be read: ${messageOf(error)}; ask as the service's user, or with sudo`,
      );
    }
  }
}

/** What the service said against a request, in its own form or in that of the model's API. */
export async function refusalOf(response: Response): Promise<PerchError> {
  const text = await response.text();
  const code = response.status >= 500 ? "SERVICE_UNREACHABLE" : "REQUEST_INVALID";
  return new PerchError(code, said(text) ?? `${response.url} answered ${response.status}`);
}

function said(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: string | { message?: string } };
    return typeof error === "string" ? error : error?.message;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
