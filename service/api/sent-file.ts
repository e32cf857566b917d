import { type FileHandle, open } from "node:fs/promises";
import type { FastifyReply } from "fastify";
import type { Clock } from "../kernel/clock.ts";
import { PerchError, systemCode } from "../kernel/errors.ts";
import { type ByteRange, type RangeHeaders, rangeOf } from "./byte-range.ts";
import { sendStreamed } from "./streamed.ts";

/** A file that never changes as long as it is there. */
export interface LastingFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Strong: another content has another one. With its quotes. */
  readonly etag: string;
}

/** A file of which a client gets all or a part; open, so that it can be read to its end though it is removed meanwhile. */
export class SentFile {
  private constructor(
    private readonly handle: FileHandle,
    private readonly of: LastingFile,
    private readonly range: ByteRange | undefined,
  ) {}

  /**
   * Opens what the headers ask for. Rejects with PerchError NOT_FOUND where it is gone, and RANGE_INVALID where they ask
   * for bytes that it has not; the reply then says how many it has.
   */
  static async open(of: LastingFile, headers: RangeHeaders, reply: FastifyReply): Promise<SentFile> {
    const range = rangeOf(headers, of.size, of.etag);
    if (range === "none") {
      reply.header("content-range", `bytes */${of.size}`);
      throw new PerchError(
        "RANGE_INVALID",
        `the file has ${of.size} bytes, and none of them is in "${headers.range}": ask from an earlier one, or without Range`,
      );
    }
    return new SentFile(await opened(of), of, range === "whole" ? undefined : range);
  }

  /** Sends it as fast as the client takes it, and closes it. */
  async send(reply: FastifyReply, headers: Readonly<Record<string, string>>, clock: Clock): Promise<void> {
    const { of, range } = this;
    const { first, last } = range ?? { first: 0, last: of.size - 1 };
    const all = {
      ...headers,
      ...factsOf(of),
      "content-length": last - first + 1,
      ...(range && { "content-range": `bytes ${first}-${last}/${of.size}` }),
    };
    try {
      await sendStreamed(reply, all, this.pieces(first, last), clock, range ? 206 : 200);
    } finally {
      await this.handle.close();
    }
  }

  private async *pieces(first: number, last: number): AsyncGenerator<Buffer> {
    let left = last - first + 1;
    if (left === 0) return;
    const reading = this.handle.createReadStream({ start: first, end: last, autoClose: false });
    for await (const piece of reading as AsyncIterable<Buffer>) {
      left -= piece.length;
      yield piece;
    }
    if (left > 0) throw new Error(`${this.of.path} ended ${left} bytes early`);
  }
}

/** What the headers of its answer say of a file, whatever is sent of it. */
export const factsOf = ({ etag }: LastingFile) => ({ etag, "accept-ranges": "bytes" });

async function opened({ path, size }: LastingFile): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    if ((await handle.stat()).size === size) return handle;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await handle?.close();
  throw new PerchError("NOT_FOUND", "this file was removed");
}
