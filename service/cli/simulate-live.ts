import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import Fastify, { type FastifyInstance } from "fastify";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera.ts";
import type { Script } from "../../device/simulator/script.ts";
import { frameTruth } from "../../device/simulator/seen.ts";
import { CHUNK, heardOf, Soundtrack } from "../../device/simulator/sound.ts";
import { soundTruth } from "../../device/simulator/world.ts";
import { systemCode } from "../kernel/errors.ts";
import type { Simulation } from "./simulate.ts";
import { LIVE_PAGE } from "./simulate-page.ts";
import { UsageError } from "./usage.ts";

const DEFAULT_PORT = 8474;
const DEFAULT_FPS = 10;
const BOUNDARY = "picture";
/** Ms of sound in one piece, and how far a page may be behind. */
const PIECE = 100;

/** `--live`: a page on this machine to look and listen, until Ctrl-C or the end of --for. Resolves to the exit code. */
export async function serveLive(simulation: Simulation, port: number | undefined): Promise<number> {
  const script = simulation.script(Date.now());
  const server = serverOf(script, simulation);
  const url = await listen(server, port);
  process.stdout.write(`${simulation.what} at ${url} – Ctrl-C ends it\n`);
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ended.abort());
  const { wished } = simulation;
  if (wished !== undefined) setTimeout(() => ended.abort(), wished);
  await once(ended.signal, "abort");
  await server.close();
  return 0;
}

/** The wished port or none; without a wish a free one where the usual one is taken. */
async function listen(server: FastifyInstance, port: number | undefined): Promise<string> {
  try {
    return await server.listen({ host: "127.0.0.1", port: port ?? DEFAULT_PORT });
  } catch (error) {
    if (systemCode(error) !== "EADDRINUSE") throw error;
    if (port !== undefined) throw new UsageError(`--live ${port}: something listens on that port already`);
    return await server.listen({ host: "127.0.0.1", port: 0 });
  }
}

function serverOf(script: Script, { what, size, fps = DEFAULT_FPS }: Simulation): FastifyInstance {
  const server = Fastify({ forceCloseConnections: true });
  // Another site's page could otherwise read these by a name that it points here.
  server.addHook("onRequest", async ({ host }, reply) => {
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) await reply.code(403).send("open it as 127.0.0.1\n");
  });
  server.get("/", (_, reply) => reply.type("text/html; charset=utf-8").send(LIVE_PAGE));
  server.get("/now", () => ({ what, ...now(script, Date.now()) }));
  server.get("/camera", ({ raw }, reply) => {
    reply.hijack();
    void streamPictures(script, { size, fps }, raw, reply.raw);
  });
  server.get("/microphone", ({ raw }, reply) => {
    reply.hijack();
    void streamSound(script, raw, reply.raw);
  });
  return server;
}

/** What is right at a moment. */
function now(script: Script, at: number) {
  const sounds = script.soundsBetween(at, at + 1).map(({ what }) => soundTruth(heardOf(what)).description);
  return {
    seen: frameTruth(script.sceneAt(at), at),
    heard: sounds.length > 0 ? sounds.join(", ") : "it is silent",
  };
}

/** MJPEG; a slow viewer gets fewer pictures, never later ones. */
async function streamPictures(
  script: Script,
  { size, fps }: { readonly size: Simulation["size"]; readonly fps: number },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const camera = new CellCamera(script, size);
  response.writeHead(200, { "content-type": `multipart/x-mixed-replace; boundary=${BOUNDARY}` });
  for await (const at of everyPeriod(1000 / fps, request)) {
    if (response.writableNeedDrain) continue;
    const jpeg = encodeJpeg(camera.picture(at));
    response.write(`--${BOUNDARY}\r\ncontent-type: image/jpeg\r\ncontent-length: ${jpeg.length}\r\n\r\n`);
    response.write(jpeg);
    response.write("\r\n");
  }
  response.end();
}

/** Signed 16 bit samples at 16 kHz, as they come; the page plays them. */
async function streamSound(
  script: Script,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const soundtrack = new Soundtrack(script);
  response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-store" });
  for await (const at of everyPeriod(PIECE, request)) {
    if (response.writableNeedDrain) continue;
    const first = Math.floor(at / CHUNK);
    const samples = soundtrack.between((first - PIECE / CHUNK) * CHUNK, first * CHUNK);
    response.write(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  }
  response.end();
}

/** Whole multiples of `period` ms since the epoch as they come, until the client has gone. */
async function* everyPeriod(period: number, request: IncomingMessage): AsyncGenerator<number> {
  const gone = new AbortController();
  request.socket.once("close", () => gone.abort());
  for (let count = Math.ceil(Date.now() / period); !gone.signal.aborted; count += 1) {
    // What was missed is left out.
    count = Math.max(count, Math.floor(Date.now() / period));
    const wait = count * period - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (!gone.signal.aborted) yield Math.round(count * period);
  }
}
