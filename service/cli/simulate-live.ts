import { once } from "node:events";
import type { ServerResponse } from "node:http";
import Fastify, { type FastifyInstance } from "fastify";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera/camera.ts";
import { frameTruth } from "../../device/simulator/course/seen.ts";
import type { Script } from "../../device/simulator/script.ts";
import { CHUNK, heardOf, Soundtrack } from "../../device/simulator/sound/sound.ts";
import { soundTruth } from "../../device/simulator/world.ts";
import { momentText } from "../contract/units.ts";
import { messageOf, systemCode } from "../kernel/errors.ts";
import type { Simulation } from "./simulate.ts";
import { courseRows } from "./simulate-course.ts";
import { LIVE_PAGE } from "./simulate-page.ts";
import { UsageError } from "./usage.ts";

const DEFAULT_PORT = 8474;
const DEFAULT_FPS = 10;
const BOUNDARY = "picture";
/** Ms of sound that are sent together; after a hold-up, at most so many. */
const PIECE = 100;
const LONGEST_HOLD_UP = 1000;

/** `--live`: a page on this machine to look and listen, until Ctrl-C or the end of --for. Resolves to the exit code. */
export async function serveLive(simulation: Simulation, port: number | undefined): Promise<number> {
  const server = serverOf(simulation, Math.ceil(Date.now() / 1000) * 1000);
  const url = await listen(server, port);
  process.stdout.write(`${simulation.what}: ${url} – Ctrl-C ends it\n`);
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
  const host = "127.0.0.1";
  try {
    return await server.listen({ host, port: port ?? DEFAULT_PORT });
  } catch (error) {
    const taken = systemCode(error) === "EADDRINUSE";
    if (taken && port === undefined) return await server.listen({ host, port: 0 });
    throw new UsageError(`--live ${port}: ${taken ? "another program uses this port" : messageOf(error)}`);
  }
}

function serverOf(simulation: Simulation, begin: number): FastifyInstance {
  const { what, size, fps = DEFAULT_FPS } = simulation;
  const script = simulation.script(begin);
  const server = Fastify({ forceCloseConnections: true });
  // Another site's page could otherwise read these by a name that it points here.
  server.addHook("onRequest", async ({ hostname }, reply) => {
    if (hostname !== "127.0.0.1" && hostname !== "localhost")
      await reply.code(403).send("open it as 127.0.0.1\n");
  });
  server.get("/", (_, reply) => reply.type("text/html; charset=utf-8").send(LIVE_PAGE));
  server.get("/course", () => ({ what, rows: simulation.scenario ? courseRows(simulation) : [] }));
  server.get("/now", () => now(simulation, script, begin));
  server.get("/camera", (_, reply) => {
    reply.hijack();
    return streamPictures(new CellCamera(script, size), fps, reply.raw);
  });
  server.get("/microphone", (_, reply) => {
    reply.hijack();
    return streamSound(new Soundtrack(script), reply.raw);
  });
  return server;
}

/** What is right at this moment; `at` in ms of the scenario, or since the page's server began. */
function now({ scenario, length }: Simulation, script: Script, begin: number) {
  const time = Date.now();
  const since = Math.max(0, time - begin);
  const at = scenario?.loop ? since % length : since;
  const sounds = script
    .soundsBetween(time, time + 1)
    .map(({ what }) => soundTruth(heardOf(what)).description);
  return {
    at,
    time: `${momentText(Math.floor(at / 1000) * 1000)}${scenario ? ` of ${momentText(length)}` : ""}`,
    seen: frameTruth(script.sceneAt(time), time),
    heard: sounds.length > 0 ? sounds.join(", ") : "it is silent",
  };
}

/** MJPEG; a slow viewer gets fewer pictures, never later ones. */
async function streamPictures(camera: CellCamera, fps: number, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": `multipart/x-mixed-replace; boundary=${BOUNDARY}` });
  for await (const at of everyPeriod(1000 / fps, response)) {
    if (response.writableNeedDrain) continue;
    const jpeg = encodeJpeg(camera.picture(at));
    response.write(`--${BOUNDARY}\r\ncontent-type: image/jpeg\r\ncontent-length: ${jpeg.length}\r\n\r\n`);
    response.write(jpeg);
    response.write("\r\n");
  }
}

/** Signed 16 bit samples at 16 kHz, as they come; the page plays them. */
async function streamSound(soundtrack: Soundtrack, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-store" });
  let next = 0;
  for await (const at of everyPeriod(PIECE, response)) {
    if (response.writableNeedDrain) continue;
    const from = Math.max(next, at - (next === 0 ? PIECE : LONGEST_HOLD_UP));
    next = at - (at % CHUNK);
    const samples = soundtrack.between(from, next);
    response.write(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  }
}

/** Whole multiples of `period` ms since the epoch as they come, those that are missed left out, until the client has gone. */
async function* everyPeriod(period: number, response: ServerResponse): AsyncGenerator<number> {
  let gone = false;
  for (const event of ["close", "error"])
    response.once(event, () => {
      gone = true;
    });
  for (let count = Math.ceil(Date.now() / period); !gone; count += 1) {
    count = Math.max(count, Math.floor(Date.now() / period));
    // Waits even where it is late: whoever else has to do with this process gets a turn.
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, count * period - Date.now())));
    if (!gone) yield Math.round(count * period);
  }
}
