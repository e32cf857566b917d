import { availableParallelism } from "node:os";
import { SAMPLE_RATE } from "../../contract/media.ts";
import type { ImageShape } from "../../contract/models.ts";
import { LIMITS } from "../../contract/openai.ts";
import { LARGEST_FILE, prepareAudio, prepareImage } from "../../inference/media-check.ts";
import { isPerchError } from "../../kernel/errors.ts";
import { OpenAiFault, wrong } from "./fault.ts";

/** Of a WAV file as prepareAudio makes it. */
const WAV_HEADER = 44;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Decodes what clients hand in, anew, a few at a time: each takes a process and the memory of a whole picture. */
export class MediaDesk {
  private free = Math.max(1, availableParallelism() - 1);
  private readonly waiting: (() => void)[] = [];

  /** The picture as a data URL that the engine takes. Throws OpenAiFault. */
  async image(url: string, shape: ImageShape, param: string): Promise<string> {
    const bytes = bytesOf(base64Of(url, "image", param), param);
    const jpeg = await this.turn(param, () => prepareImage(bytes, shape));
    return `data:image/jpeg;base64,${jpeg.toString("base64")}`;
  }

  /** The sound as base64 of a WAV file, and its seconds. Throws OpenAiFault. */
  async sound(data: string, param: string): Promise<{ data: string; seconds: number }> {
    const bytes = bytesOf(data.startsWith("data:") ? base64Of(data, "audio", param) : data, param);
    const wav = await this.turn(param, () => prepareAudio(bytes));
    return { data: wav.toString("base64"), seconds: (wav.length - WAV_HEADER) / 2 / SAMPLE_RATE };
  }

  private async turn(param: string, decode: () => Promise<Buffer>): Promise<Buffer> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await decode();
    } catch (error) {
      if (!isPerchError(error, "MEDIA_INVALID", "MEDIA_TOO_LARGE")) throw error;
      const code = error.code === "MEDIA_INVALID" ? "invalid_media" : "media_too_large";
      throw new OpenAiFault(error.status, error.message, { param, code });
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

/** What stands behind the comma of a data URL. Perch opens no address that a request names. */
function base64Of(url: string, kind: "image" | "audio", param: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "data")
    throw wrong(
      param,
      scheme === "file"
        ? "local files are not read: send the content as data:"
        : "remote URLs are not fetched: send the content as data:",
      "remote_url",
    );
  const comma = url.indexOf(",");
  const head = url.slice(0, Math.max(0, Math.min(comma, 200)));
  if (!new RegExp(`^data:${kind}/[a-z0-9.+-]+(;[^,;]+)*;base64$`, "i").test(head))
    throw wrong(param, `this must be data:${kind}/...;base64,... with the content`, "invalid_media");
  return url.slice(comma + 1);
}

function bytesOf(base64: string, param: string): Buffer {
  if (base64.length > (LARGEST_FILE / 3) * 4 + 4)
    throw new OpenAiFault(413, `${LARGEST_FILE / 1e6} MB are taken at most`, {
      param,
      code: "media_too_large",
    });
  if (base64.length === 0 || !BASE64.test(base64)) throw wrong(param, "this is no base64", "invalid_media");
  return Buffer.from(base64, "base64");
}

/** Throws where a request's sounds are longer than the model hears. */
export function refuseLength(seconds: number): void {
  if (seconds > LIMITS.audio)
    throw new OpenAiFault(
      413,
      `the sounds are ${seconds.toFixed(1)} s long together; ${LIMITS.audio} s are taken`,
      {
        param: "messages",
        code: "media_too_large",
      },
    );
}
