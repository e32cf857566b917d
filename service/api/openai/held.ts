import type { FastifyInstance, FastifyRequest } from "fastify";
import { OpenAiFault } from "./fault.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What is held of the budget for it; null where nothing is. */
    held: Held | null;
  }
}

/** A share of a budget. */
interface Held {
  /** It turned out to be less. */
  shrink(bytes: number): void;
}

/** Bytes that all requests together may hold at once: many large ones would fill a small box's memory. */
export class ByteBudget {
  private left: number;

  constructor(
    private readonly most: number,
    /** What is held, for who is refused. */
    private readonly what: string,
  ) {
    this.left = most;
  }

  /** Bytes that are held now. */
  get taken(): number {
    return this.most - this.left;
  }

  /** Takes a share; throws OpenAiFault where there is not as much left. */
  take(bytes: number): Held & { release(): void } {
    if (bytes > this.left)
      throw new OpenAiFault(
        429,
        `${this.what} of ${Math.ceil(this.taken / 1e6)} MB are being answered, and ${this.most / 1e6} MB are taken at once`,
        { code: "too_much_at_once", retryAfter: 2 },
      );
    let held = bytes;
    this.left -= bytes;
    const shrink = (to: number) => {
      if (to >= held) return;
      this.left += held - to;
      held = to;
    };
    return { shrink, release: () => shrink(0) };
  }
}

/** Holds a share of the budget for each request with a body, until it is answered. */
export function holdBodies(app: FastifyInstance, budget: ByteBudget, largest: number): void {
  app.decorateRequest("held", null);
  app.addHook("onRequest", async (request, reply) => {
    const coming = bytesComing(request, largest);
    // A larger one is refused for its size.
    if (coming === 0 || coming > largest) return;
    const held = budget.take(coming);
    request.held = held;
    reply.raw.once("close", () => held.release());
  });
}

/** How many bytes a body has; the most that are taken where it does not say. */
export function bytesComing({ headers }: FastifyRequest, largest: number): number {
  const { "content-length": length, "transfer-encoding": chunked } = headers;
  if (length !== undefined) return Number(length);
  return chunked === undefined ? 0 : largest;
}
