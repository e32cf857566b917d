import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { LARGEST_FILE } from "../inference/media-check.ts";
import { messageOf } from "../kernel/errors.ts";
import { UsageError } from "./usage.ts";

/** A part of a message, as the model's API takes it. */
export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string }; readonly file: string }
  | {
      readonly type: "input_audio";
      readonly input_audio: { readonly data: string; readonly format: string };
      readonly file: string;
    };

/** A picture of this box, for the model's API. */
export const imagePart = (path: string): ContentPart => imageOf(readMedia(path), basename(path));

/** A sound of this box. */
export const audioPart = (path: string): ContentPart => audioOf(readMedia(path), basename(path));

/** A picture; which kind it is, its bytes tell. */
export function imageOf(bytes: Buffer, file: string): ContentPart {
  const url = `data:image/jpeg;base64,${bytes.toString("base64")}`;
  return { type: "image_url", image_url: { url }, file };
}

export function audioOf(bytes: Buffer, file: string): ContentPart {
  return { type: "input_audio", input_audio: { data: bytes.toString("base64"), format: "wav" }, file };
}

/** The bytes of a picture or sound, for whoever decodes them. Throws UsageError. */
export function readMedia(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > LARGEST_FILE)
      throw new UsageError(`${file} has ${Math.ceil(size / 1e6)} MB; ${LARGEST_FILE / 1e6} MB are taken`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  }
}
