import type { ServerResponse } from "node:http";
import type { Picture } from "../../contract/media.ts";
import { type Clock, iso } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import { ON_EVERY_ANSWER } from "../security-headers.ts";

/** Viewers at once, of all cameras. */
const MOST_VIEWERS = 16;
/** Ms that a viewer may take for one picture before it is given up. */
const PATIENCE = 30_000;
/** Ms after which it is asked again whether a viewer may still look. */
const TRUST = 15_000;
const BOUNDARY = "picture";

/** The pictures of one camera. */
export interface Pictures {
  newest(): Picture | undefined;
  /** Calls back with each new one, until the returned function is called. */
  onPicture(callback: () => void): () => void;
}

/** How one of them is shown. */
export interface Viewing {
  /** Least ms between two pictures. */
  readonly interval: number;
  /** Whether whoever asked may still look. */
  readonly allowed: () => boolean;
}

/** Everybody who looks at live pictures. */
export class LiveViews {
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly patience = PATIENCE,
  ) {}

  /** Throws QUEUE_FULL where too many look already. */
  refuseMore(): void {
    if (this.count < MOST_VIEWERS) return;
    throw new PerchError(
      "QUEUE_FULL",
      `${MOST_VIEWERS} viewers look at live pictures already, and no more are served: close one, or ask for snapshot.jpg`,
    );
  }

  /** Sends pictures until the viewer goes, takes one for too long, or may look no more. */
  show(to: ServerResponse, pictures: Pictures, viewing: Viewing): void {
    this.count += 1;
    const view = new View(to, pictures, { ...viewing, clock: this.clock, patience: this.patience });
    to.once("close", () => {
      this.count -= 1;
      view.end();
    });
    view.begin();
  }
}

interface Terms extends Viewing {
  readonly patience: number;
  readonly clock: Clock;
}

/**
 * One viewer. A picture goes out when the one before has left for the network; those that came in between are
 * skipped, so that a slow viewer sees fewer, none of them old, and holds one in memory.
 */
class View {
  private shown: Picture | undefined;
  /** When the next one may go, monotonic ms. */
  private due = Number.NEGATIVE_INFINITY;
  private full = false;
  /** Until when it may look unasked, monotonic ms. */
  private trusted: number;
  private forgetPictures: () => void = () => undefined;
  private forgetTimer: () => void = () => undefined;

  constructor(
    private readonly to: ServerResponse,
    private readonly pictures: Pictures,
    private readonly terms: Terms,
  ) {
    this.trusted = terms.clock.monotonic() + TRUST;
  }

  begin(): void {
    this.to.writeHead(200, {
      ...ON_EVERY_ANSWER,
      "content-type": `multipart/x-mixed-replace; boundary=${BOUNDARY}`,
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      connection: "close",
    });
    this.to.write(`--${BOUNDARY}\r\n`);
    this.to.on("drain", () => {
      this.full = false;
      this.forgetTimer();
      this.offer();
    });
    this.forgetPictures = this.pictures.onPicture(() => this.offer());
    this.offer();
  }

  end(): void {
    this.forgetPictures();
    this.forgetTimer();
  }

  private offer(): void {
    const { clock, interval } = this.terms;
    const picture = this.pictures.newest();
    if (this.full || this.to.destroyed || !picture || picture === this.shown) return;
    const now = clock.monotonic();
    if (now >= this.trusted) {
      if (!this.terms.allowed()) {
        this.to.destroy();
        return;
      }
      this.trusted = now + TRUST;
    }
    if (now < this.due) {
      this.forgetTimer();
      this.forgetTimer = clock.after(this.due - now, () => this.offer());
      return;
    }
    // By the time that was planned, so that unsteady cameras come out at the rate that was asked for.
    const late = now - this.due;
    this.due = now + interval - (late < interval ? late : 0);
    this.send(picture);
  }

  private send(picture: Picture): void {
    const { clock, patience } = this.terms;
    this.shown = picture;
    const { at, jpeg } = picture;
    this.to.write(
      `Content-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\nX-Captured: ${iso(at)}\r\n\r\n`,
    );
    this.to.write(jpeg);
    // A browser shows a picture when it sees what comes after it.
    this.full = !this.to.write(`\r\n--${BOUNDARY}\r\n`);
    if (!this.full) return;
    this.forgetTimer();
    this.forgetTimer = clock.after(patience, () => this.to.destroy());
  }
}
