import type { SessionView } from "../../service/contract/accounts.ts";
import type { Served } from "./access-served.ts";

export const PASSWORD = "correct horse battery";

interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** What a browser with one cookie does, as the pages of the service do it. */
export class Browser {
  cookie = "";
  csrf = "";

  constructor(private readonly served: Pick<Served, "url">) {}

  /** With the cookie, and for changes with the token of the last login; a header given as "" is left out. */
  async ask<T = { error?: string }>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const own = {
      ...(body && { "content-type": "application/json" }),
      ...(this.cookie !== "" && { cookie: this.cookie }),
      ...(this.csrf !== "" && method !== "GET" && { "x-csrf-token": this.csrf }),
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== ""));
    const answer = await fetch(`${this.served.url}${path}`, {
      method,
      headers: sent,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const [set] = answer.headers.getSetCookie();
    if (set !== undefined) this.cookie = set.split(";")[0] ?? "";
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text === "" ? {} : JSON.parse(text)) as T,
    };
  }

  async login(name: string, password = PASSWORD): Promise<Answer<SessionView & { error?: string }>> {
    return this.entered(
      await this.ask<SessionView & { error?: string }>("POST", "/api/session", { name, password }),
    );
  }

  async setUp(
    token: string,
    name: string,
    password = PASSWORD,
  ): Promise<Answer<SessionView & { error?: string }>> {
    return this.entered(
      await this.ask<SessionView & { error?: string }>("POST", "/api/setup", { token, name, password }),
    );
  }

  who(): Promise<Answer<SessionView>> {
    return this.ask<SessionView>("GET", "/api/session");
  }

  private entered<T extends SessionView>(answer: Answer<T>): Answer<T> {
    if (answer.status === 200) this.csrf = answer.body.csrf ?? "";
    return answer;
  }
}
