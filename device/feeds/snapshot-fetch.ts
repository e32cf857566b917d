import { createCanvas, loadImage } from "@napi-rs/canvas";
import { type Dispatcher, request } from "undici";
import { PerchError } from "../../service/kernel/errors.ts";
import { bareAddress, credentialsOf, shownAddress } from "./address.ts";
import { answerChallenge } from "./http-auth.ts";

/** Bytes of a snapshot at most, and ms that it may take. */
const MAX_BYTES = 16_000_000;
const PATIENCE = 8000;

interface Source {
  readonly source: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/**
 * Fetches one picture of a snapshot URL, as JPEG.
 *
 * @throws PerchError FEED_UNREACHABLE where the server answers with anything but a JPEG or PNG picture;
 *   undici's error where it does not answer
 */
export async function fetchSnapshot(from: Source, signal: AbortSignal): Promise<Buffer> {
  const shown = shownAddress(from.source);
  const response = await authorized(from, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
  if (response.statusCode !== 200) {
    await response.body.dump();
    throw new PerchError("FEED_UNREACHABLE", `${shown} answered ${response.statusCode}`);
  }
  return toJpeg(await boundedBody(response, shown), shown);
}

/** Asks without credentials first, since only the answer says which scheme the camera wants. */
async function authorized(from: Source, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  const url = bareAddress(from.source);
  const options = { method: "GET" as const, signal, headersTimeout: PATIENCE, bodyTimeout: PATIENCE };
  const first = await request(url, options);
  const login = credentialsOf(from.source, from);
  const challenge = first.headers["www-authenticate"];
  if (first.statusCode !== 401 || challenge === undefined || login.user === "") return first;
  const { pathname, search } = new URL(url);
  const authorization = answerChallenge([challenge].flat().join(", "), login, "GET", pathname + search);
  if (authorization === undefined) return first;
  await first.body.dump();
  return request(url, { ...options, headers: { authorization } });
}

async function boundedBody(response: Dispatcher.ResponseData, shown: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    // Leaving the loop closes the connection.
    if (length > MAX_BYTES)
      throw new PerchError("FEED_UNREACHABLE", `${shown} sent more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The child reads JPEG only; the rare PNG is made one here. */
async function toJpeg(body: Buffer, shown: string): Promise<Buffer> {
  if (body[0] === 0xff && body[1] === 0xd8 && body[2] === 0xff) return body;
  if (!body.subarray(0, 8).equals(PNG)) {
    const hint = "set http: mjpeg if it sends a stream, or check the path";
    throw new PerchError("FEED_UNREACHABLE", `${shown} sent no JPEG or PNG picture: ${hint}`);
  }
  const image = await loadImage(body);
  const canvas = createCanvas(image.width, image.height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.encode("jpeg", 95);
}

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
