import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Ms within which a body has to have arrived. Default 10 s. */
    bodyTime?: number;
  }
}

const USUAL = 10_000;
/** The most that any route takes; the server closes by itself what takes longer, at some time. */
export const LONGEST_BODY = 900_000;

/** Refuses bodies that do not arrive in time, with 408: each holds a connection and what came of it. */
export function limitBodyTime(app: FastifyInstance): void {
  app.addHook("preParsing", async (request, reply, body) => {
    const { "content-length": length, "transfer-encoding": chunked } = request.headers;
    if (length === undefined && chunked === undefined) return body;
    const { bodyTime = USUAL } = request.routeOptions.config;
    const incoming = body as IncomingMessage;
    const timer = setTimeout(() => {
      if (reply.sent) return;
      // The rest of it is read by nobody.
      reply.header("connection", "close");
      const late = new Error(`the request did not arrive within ${bodyTime / 1000} s`);
      incoming.emit("error", Object.assign(late, { statusCode: 408 }));
    }, bodyTime);
    const over = () => clearTimeout(timer);
    incoming.once("end", over);
    incoming.once("close", over);
    incoming.once("error", over);
    return body;
  });
}
