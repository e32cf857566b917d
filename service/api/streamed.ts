import type { FastifyReply } from "fastify";
import type { Clock } from "../kernel/clock.ts";

/** Ms that a client may leave what it asked for unread. */
const STALL = 30_000;

/**
 * Sends chunks as the client takes them, so that none waits in memory. A client that leaves, or reads nothing for 30 s,
 * is given up. Where the chunks fail the connection is cut: what is short must not look whole.
 */
export async function sendStreamed(
  reply: FastifyReply,
  headers: Readonly<Record<string, string | number>>,
  chunks: AsyncIterable<string | Buffer>,
  clock: Clock,
  status = 200,
): Promise<void> {
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(status, { ...(reply.getHeaders() as Record<string, string>), ...headers });
  // The first byte may be long in coming where little is found in much.
  raw.flushHeaders();
  try {
    for await (const chunk of chunks) {
      if (raw.destroyed) return;
      if (!raw.write(chunk) && !(await drained(raw, clock))) return;
    }
    raw.end();
  } catch (error) {
    raw.destroy();
    throw error;
  }
}

/** Whether the client read on; where it did not for too long, it is cut off. */
function drained(raw: FastifyReply["raw"], clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const over = () => {
      cancel();
      raw.off("drain", over);
      raw.off("close", over);
      resolve(!raw.destroyed);
    };
    const cancel = clock.after(STALL, () => raw.destroy());
    raw.once("drain", over);
    raw.once("close", over);
  });
}
