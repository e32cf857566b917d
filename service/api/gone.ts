import type { FastifyReply } from "fastify";

/** Aborts when the client leaves before it has its whole answer; who makes it may abort it too. */
export function gone({ raw }: FastifyReply): AbortController {
  const left = new AbortController();
  // A connection also closes after each answer that was read.
  raw.once("close", () => {
    if (!raw.writableFinished) left.abort();
  });
  return left;
}
