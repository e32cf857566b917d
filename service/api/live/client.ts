import type { ServerResponse } from "node:http";
import type { Change, LiveKind } from "../../contract/api-live.ts";
import type { Clock } from "../../kernel/clock.ts";

/** Ms that a client may leave what is sent to it unread. */
export const STALL = 30_000;
/** Ms that one that was let go has to read why. */
const FAREWELL = 2_000;

/** What a client wants to be told of. */
export interface LiveWish {
  readonly kinds: ReadonlySet<LiveKind>;
  /** Undefined: of every watch. */
  readonly watches: ReadonlySet<string> | undefined;
}

interface Options {
  readonly raw: ServerResponse;
  readonly wish: LiveWish;
  /** Number of the change after which it is told of the next. */
  readonly position: number;
  readonly clock: Clock;
  /** Whether whoever asked may still do so. */
  readonly allowed: () => boolean;
}

/** One who follows what happens. What its connection does not take is not kept for it: it reads on later, from the record. */
export class LiveClient {
  /** Number of the last change that it was told of or does not want to know. */
  position: number;
  /** It reads from the record at its own pace; otherwise it is told of each change as it comes. */
  behind = false;
  over = false;
  /** States that changed while it was behind. */
  readonly missed = new Set<string>();

  constructor(private readonly options: Options) {
    this.position = options.position;
  }

  get allowed(): boolean {
    return this.options.allowed();
  }

  get wantsObservations(): boolean {
    return this.options.wish.kinds.has("observation");
  }

  wantsKind(kind: LiveKind): boolean {
    return this.options.wish.kinds.has(kind);
  }

  wants({ kind, watch }: Change): boolean {
    const { kinds, watches } = this.options.wish;
    return kinds.has(kind === "observation" ? kind : "event") && (watches?.has(watch) ?? true);
  }

  /** False where its connection takes no more for now. */
  send(text: string | Buffer): boolean {
    const { raw } = this.options;
    return this.over || raw.destroyed || raw.write(text);
  }

  /** Resolves to false where it left, or read nothing for too long. */
  drained(): Promise<boolean> {
    const { raw, clock } = this.options;
    if (!raw.writableNeedDrain) return Promise.resolve(true);
    return new Promise((resolve) => {
      const over = (read: boolean) => {
        cancel();
        raw.off("drain", drain);
        raw.off("close", close);
        resolve(read);
      };
      const drain = () => over(true);
      const close = () => over(false);
      const cancel = clock.after(STALL, () => over(false));
      raw.once("drain", drain);
      raw.once("close", close);
    });
  }

  /** Ends it with a last message. */
  end(farewell: string): void {
    if (this.over) return;
    this.over = true;
    const { raw, clock } = this.options;
    const cancel = clock.after(FAREWELL, () => raw.destroy());
    raw.once("close", cancel);
    raw.end(farewell);
  }
}
