import type { FastifyReply } from "fastify";
import type { ListedEvent } from "../../contract/api-events.ts";
import type { Observation } from "../../contract/observation.ts";
import type { Clock } from "../../kernel/clock.ts";
import { isPerchError, PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { type Cell, csvLine } from "../csv.ts";
import { sendStreamed } from "../streamed.ts";

/** Exports that run at the same time. */
const MOST = 4;

/** How a list becomes a file. */
interface Table<T> {
  readonly columns: readonly string[];
  readonly cells: (one: T) => readonly Cell[];
  readonly json: (one: T) => object;
}

export const EVENT_TABLE: Table<ListedEvent> = {
  columns: [
    ...["id", "node", "watch", "rule", "title", "severity", "phase", "started", "at", "ended", "reason"],
    ...["acknowledged", "acknowledged_by", "note", "observation", "answer"],
  ],
  cells: ({ id, node, watch, rule, title, severity, phase, started, at, ended, reason, ...rest }) => [
    ...[id, node, watch, rule, title, severity, phase, started, at, ended, reason],
    ...[rest.acknowledged?.at, rest.acknowledged?.by, rest.acknowledged?.note],
    ...[rest.observation, JSON.stringify(rest.answer)],
  ],
  json: ({ picture: _picture, ...event }) => event,
};

export const OBSERVATION_TABLE: Table<Observation> = {
  columns: [
    ...[
      "id",
      "node",
      "watch",
      "feeds",
      "captured",
      "answered",
      "answer",
      "ladder",
      "level",
      "model",
      "server",
    ],
    ...["hottest", "simulated", "queue_ms", "prompt_ms", "decode_ms"],
    ...["prompt_tokens", "cached_tokens", "answer_tokens"],
  ],
  cells: ({ id, node, watch, feeds, captured, answered, answer, provenance }) => {
    const { ladder, level, model, server, hottest, simulated, queue, prompt, decode, tokens } = provenance;
    return [
      ...[id, node, watch, feeds.join(" "), captured, answered, JSON.stringify(answer)],
      ...[ladder, level, model, server, hottest, simulated ?? false, queue, prompt, decode],
      ...[tokens.prompt, tokens.cached, tokens.answer],
    ];
  },
  json: (observation) => observation,
};

/** Sends lists of any length as files. */
export class Exports {
  private running = 0;

  constructor(
    private readonly node: string,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Throws PerchError QUEUE_FULL where too many run already. */
  async send<T>(
    reply: FastifyReply,
    name: string,
    format: "csv" | "ndjson",
    table: Table<T>,
    chunks: AsyncIterable<T[]>,
  ): Promise<void> {
    if (this.running >= MOST) {
      reply.header("retry-after", "10");
      throw new PerchError("QUEUE_FULL", `${MOST} exports run already: ask again when one is through`);
    }
    this.running += 1;
    const now = new Date(this.clock.now()).toISOString().replace(/[-:]|\.\d+/g, "");
    const headers = {
      "content-type": format === "csv" ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson",
      "content-disposition": `attachment; filename="perch-${this.node}-${name}-${now}.${format}"`,
      "cache-control": "no-store",
    };
    const lines = format === "csv" ? csvOf(table, chunks) : jsonOf(table, chunks);
    try {
      await sendStreamed(reply, headers, lines, this.clock);
    } catch (error) {
      // The answer has begun: nothing can be told to the client but that it broke off.
      if (!isPerchError(error)) throw error;
      this.logger.warn({ part: "api" }, `an export of ${name} broke off: ${error.message}`);
    } finally {
      this.running -= 1;
    }
  }
}

async function* csvOf<T>({ columns, cells }: Table<T>, chunks: AsyncIterable<T[]>): AsyncGenerator<string> {
  yield csvLine(columns);
  for await (const chunk of chunks) yield chunk.map((one) => csvLine(cells(one))).join("");
}

async function* jsonOf<T>({ json }: Table<T>, chunks: AsyncIterable<T[]>): AsyncGenerator<string> {
  for await (const chunk of chunks) yield chunk.map((one) => `${JSON.stringify(json(one))}\n`).join("");
}
