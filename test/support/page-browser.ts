import { Browser, type BrowserPage, type BrowserWindow, type Element, type HTMLElement } from "happy-dom";
import { Agent, EventSource } from "undici";
import { onTestFinished } from "vitest";
import { PASSWORD } from "./browser.ts";
import { until } from "./until.ts";

/** A browser without a screen that runs the service's pages against the service; it ends with the test. */
export class PageBrowser {
  private readonly browser: Browser;
  private readonly page: BrowserPage;
  private readonly streams: EventSource[] = [];
  private ending = false;
  /** Addresses that it asked for. */
  readonly asked: string[] = [];

  constructor(private readonly url: string) {
    this.browser = new Browser({
      settings: {
        enableJavaScriptEvaluation: true,
        suppressInsecureJavaScriptEnvironmentWarning: true,
        // It reads no pictures, only that they were asked for matters.
        enableImageFileLoading: false,
        navigation: { beforeContentCallback: (window) => this.equip(window) },
        fetch: {
          interceptor: {
            beforeAsyncRequest: async ({ request }) => {
              this.asked.push(new URL(request.url).pathname);
            },
          },
        },
      },
    });
    this.page = this.browser.newPage();
    onTestFinished(async () => {
      this.ending = true;
      for (const stream of this.streams) stream.close();
      await this.browser.close();
    });
  }

  async open(path: string): Promise<void> {
    await this.page.goto(`${this.url}${path}`);
  }

  /** Through the login's form, as a person would. */
  async login(name: string): Promise<void> {
    await this.open("/login");
    const { document } = this.page.mainFrame;
    for (const [id, value] of Object.entries({ name, password: PASSWORD })) {
      const input = document.getElementById(id);
      if (input) Object.assign(input, { value });
    }
    this.click("#send");
    await until(() => this.path !== "/login");
  }

  get path(): string {
    return new URL(this.page.url).pathname;
  }

  /** What stands in an element now; undefined where there is none or it is hidden. */
  text(selector: string): string | undefined {
    const found = this.page.mainFrame.document.querySelector(selector);
    if (!found || found.closest("[hidden]")) return undefined;
    return found.textContent ?? "";
  }

  find(selector: string): Element | null {
    return this.page.mainFrame.document.querySelector(selector);
  }

  count(selector: string): number {
    return [...this.page.mainFrame.document.querySelectorAll(selector)].filter(
      (one) => !one.closest("[hidden]"),
    ).length;
  }

  attribute(selector: string, name: string): string | null | undefined {
    return this.page.mainFrame.document.querySelector(selector)?.getAttribute(name);
  }

  click(selector: string): void {
    const found = this.page.mainFrame.document.querySelector(selector);
    if (!found) throw new Error(`there is no ${selector}`);
    found.dispatchEvent(new this.page.mainFrame.window.MouseEvent("click", { bubbles: true }));
  }

  focus(selector: string): void {
    (this.find(selector) as HTMLElement | null)?.focus();
  }

  get focused(): unknown {
    return this.page.mainFrame.document.activeElement;
  }

  /** What happy-dom lacks, and that no answer reaches a page that is left: a browser ends its script with it. */
  private equip(window: BrowserWindow): void {
    const isLeft = () => this.ending || this.page.mainFrame.window !== window;
    const whileThere = <T>(asked: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        asked.then(
          (got) => isLeft() || resolve(got),
          (error: unknown) => isLeft() || reject(error),
        );
      });
    const real = window.fetch.bind(window);
    const fetch: typeof real = async (...args) => {
      const answer = await whileThere(real(...args));
      const [json, blob] = [answer.json.bind(answer), answer.blob.bind(answer)];
      return Object.assign(answer, { json: () => whileThere(json()), blob: () => whileThere(blob()) });
    };
    Object.assign(window, { fetch, EventSource: this.eventSource(isLeft) });
  }

  /** undici's is that of the standard, but knows no cookies. */
  private eventSource(isLeft: () => boolean): typeof EventSource {
    const { url, streams } = this;
    const { cookieContainer } = this.browser.defaultContext;
    return class extends EventSource {
      constructor(path: string | URL) {
        const sent = cookieContainer
          .getCookies(new URL(url) as never, false)
          .map(({ key, value }) => `${key}=${value}`);
        const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
          const headers = { ...(options.headers as object), cookie: sent.join("; ") };
          return dispatch({ ...options, headers }, handler);
        });
        super(new URL(path, url).href, { node: { dispatcher } });
        streams.push(this);
      }

      override dispatchEvent(event: Event): boolean {
        if (!isLeft()) return super.dispatchEvent(event);
        this.close();
        return false;
      }
    };
  }
}
