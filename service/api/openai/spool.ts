import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream, type BusboyHeaders, type BusboyInstance } from "@fastify/busboy";
import type { FastifyRequest } from "fastify";
import { UPLOAD } from "../../contract/openai-transcription.ts";
import { messageOf, PerchError, systemCode } from "../../kernel/errors.ts";
import { OpenAiFault, wrong } from "./fault.ts";
import { ByteBudget, bytesComing } from "./held.ts";

/** What a connection that broke is called. */
const GONE = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"]);
/** Bytes of a form beside its file. */
const FORM = 100_000;

/** A form with a file in it. */
export interface Upload {
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Where its file lies. */
  readonly path: string;
  /** Removes it. */
  dispose(): Promise<void>;
}

/**
 * Files that come with requests lie in the data folder's `uploads` while they are asked about, never in memory.
 */
export class Spool {
  private readonly folder: string;
  private readonly budget = new ByteBudget(UPLOAD.together, "uploads");

  constructor(data: string) {
    this.folder = join(data, "uploads");
  }

  /** Reads a form as it comes. Rejects with OpenAiFault, DATA_FULL or DATA_UNWRITABLE. */
  async receive(request: FastifyRequest, body: Readable): Promise<Upload> {
    const coming = bytesComing(request, UPLOAD.file);
    if (coming > UPLOAD.file + FORM) throw tooLarge();
    const held = this.budget.take(Math.min(coming, UPLOAD.file));
    const path = join(this.folder, randomUUID());
    const dispose = async () => {
      held.release();
      await rm(path, { force: true });
    };
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await this.needSpace(coming);
      const { fields, bytes } = await formOf(request, body, path);
      held.shrink(bytes);
      return { fields, path, dispose };
    } catch (error) {
      await dispose();
      throw this.faultOf(error);
    }
  }

  /** Removes what a crash left; before the first one comes. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async needSpace(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder);
    if (bavail * bsize < bytes + UPLOAD.spare)
      throw new PerchError("DATA_FULL", "the disk of the data folder has no room for this file");
  }

  private faultOf(error: unknown): unknown {
    const code = systemCode(error) ?? "";
    if (GONE.has(code)) return new PerchError("CANCELLED", "the client has gone");
    if (error instanceof OpenAiFault || error instanceof PerchError || !/^E[A-Z0-9]+$/.test(code))
      return error;
    if (code === "ENOSPC" || code === "EDQUOT")
      return new PerchError("DATA_FULL", "the disk of the data folder is full");
    return new PerchError("DATA_UNWRITABLE", `${this.folder} cannot be written: ${messageOf(error)}`, error);
  }
}

/** Writes the form's one file to a path. */
async function formOf(
  { headers }: FastifyRequest,
  body: Readable,
  path: string,
): Promise<{ fields: [string, string][]; bytes: number }> {
  const form = parserOf(headers);
  const fields: [string, string][] = [];
  let coming: BusboyFileStream | undefined;
  let writing: Promise<number> | undefined;
  let fault: OpenAiFault | undefined;
  const refuse = (reason: OpenAiFault) => {
    fault ??= reason;
  };
  form.on("field", (name, value, nameCut, valueCut) => {
    if (nameCut || valueCut) refuse(wrong(name, "this field is too long"));
    fields.push([name, value]);
  });
  form.on("file", (name, file) => {
    // What is wrong with it is told of the form too.
    file.on("error", () => undefined);
    if (name === "file" && !writing) {
      coming = file;
      writing = written(file, path);
      // It is awaited when the form is read; until then nobody listens.
      writing.catch(() => undefined);
      return;
    }
    refuse(wrong(name, 'one file is taken, as "file"'));
    file.resume();
  });
  form.on("partsLimit", () => refuse(wrong("", "the form has too many parts")));
  form.on("fieldsLimit", () => refuse(wrong("", "the form has too many fields")));
  try {
    await pipeline(body, form);
  } catch (error) {
    // Nothing more comes of it, and its file is closed.
    coming?.destroy();
    await writing?.catch(() => undefined);
    throw fault ?? brokenForm(error);
  }
  const bytes = await writing;
  if (fault) throw fault;
  if (bytes === undefined) throw wrong("file", "the file is missing: send it as multipart/form-data");
  if (bytes === 0) throw wrong("file", "the file is empty", "invalid_media");
  return { fields, bytes };
}

function parserOf(headers: FastifyRequest["headers"]): BusboyInstance {
  try {
    return new Busboy({
      headers: headers as BusboyHeaders,
      limits: { fileSize: UPLOAD.file, files: 2, fields: 30, fieldSize: 10_000, parts: 32, headerPairs: 50 },
    });
  } catch (error) {
    throw brokenForm(error);
  }
}

/** Resolves to the file's bytes. Where the disk fails, the rest is read and dropped: whoever still sends could not be told. */
async function written(file: BusboyFileStream, path: string): Promise<number> {
  await pipeline(file, async (pieces: AsyncIterable<Buffer>) => {
    const kept = await Keeping.begin(path);
    try {
      for await (const piece of pieces) await kept.add(piece);
    } finally {
      await kept.end();
    }
    kept.refuseUnlessWhole();
  });
  if (file.truncated) throw tooLarge();
  return file.bytesRead;
}

/** A file that is written until the disk fails. */
class Keeping {
  private constructor(
    private readonly file: FileHandle | undefined,
    private fault: unknown,
  ) {}

  static begin(path: string): Promise<Keeping> {
    return open(path, "wx", 0o600).then(
      (file) => new Keeping(file, undefined),
      (fault: unknown) => new Keeping(undefined, fault),
    );
  }

  async add(piece: Buffer): Promise<void> {
    if (this.fault !== undefined) return;
    await this.file?.appendFile(piece).catch((fault: unknown) => this.fail(fault));
  }

  async end(): Promise<void> {
    await this.file?.close().catch((fault: unknown) => this.fail(fault));
  }

  refuseUnlessWhole(): void {
    if (this.fault !== undefined) throw this.fault;
  }

  private fail(fault: unknown): void {
    this.fault ??= fault;
  }
}

const tooLarge = (): OpenAiFault =>
  new OpenAiFault(413, `the file is larger than ${UPLOAD.file / 1e6} MB`, {
    code: "body_too_large",
    param: "file",
    final: true,
  });

/** What the parser says of a form that it cannot read; errors of the system and of the clock pass. */
function brokenForm(error: unknown): unknown {
  const { statusCode } = error as { statusCode?: unknown };
  if (systemCode(error) !== undefined || typeof statusCode === "number") return error;
  return wrong("", `the form cannot be read: ${messageOf(error).slice(0, 200)}`);
}
