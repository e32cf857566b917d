import { Agent, type ClientRequest, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Tokens } from "../../service/api/access/tokens.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";
import { type Figure, median } from "./figure.ts";

const CLIENTS = 200;
const FPS = 10;
/** Ms that frames are counted, with the clients and without, in pairs. */
const WINDOW = 10_000;
const PAIRS = 4;
const GOAL = 0.99;

/** Frames that the built service takes from a camera while many follow live, against those while none does. */
export async function liveFigures(): Promise<Figure[]> {
  const feeds = CELL_FEEDS.map((feed) => (feed.kind === "camera" ? { ...feed, fps: FPS } : feed));
  const perch = new PerchProcess({ feeds, watches: [SCENE_WATCH, SOUND_WATCH] });
  try {
    perch.start();
    await until(() => ["engine ready", "health "].every((said) => perch.log.join().includes(said)));
    const url = urlOf(perch);
    const grant = { name: "bench", role: "viewer", by: "bench", expires: null } as const;
    const { token } = new Tokens(perch.data).create(grant, Date.now());
    const headers = { authorization: `Bearer ${token}` };
    const rates: Record<"alone" | "followed", number[]> = { alone: [], followed: [] };
    let told = 0;
    for (let pair = 0; pair < PAIRS; pair += 1)
      for (const side of pair % 2 === 0
        ? (["alone", "followed"] as const)
        : (["followed", "alone"] as const)) {
        const clients = side === "alone" ? [] : await follow(url, headers, () => (told += 1));
        rates[side].push(await frameRate(url, headers));
        for (const client of clients) client.destroy();
      }
    const share = median(rates.followed) / median(rates.alone);
    return [
      { name: "frames a second", value: median(rates.alone), unit: `of ${FPS}`, goal: null, ok: true },
      { name: `messages to ${CLIENTS} clients meanwhile`, value: told, unit: "", goal: null, ok: true },
      {
        name: `frames while ${CLIENTS} clients follow live`,
        value: share,
        unit: "of those while none does, at least",
        goal: GOAL,
        ok: share >= GOAL,
      },
    ];
  } finally {
    await perch.dispose();
  }
}

function urlOf(perch: PerchProcess): string {
  const [, url] = /health +(http:\/\/[^\s/"]+)/.exec(perch.log.join("\n")) ?? [];
  if (url === undefined) throw new Error("the service has not said where it listens");
  return url;
}

/** Frames a second over a window. */
async function frameRate(url: string, headers: Record<string, string>): Promise<number> {
  const count = async () => {
    const text = await (await fetch(`${url}/metrics`, { headers })).text();
    const [, frames] = /^perch_frames_total\{feed="camera"\} (\d+)/m.exec(text) ?? [];
    return { frames: Number(frames), at: performance.now() };
  };
  const before = await count();
  await sleep(WINDOW);
  const after = await count();
  return ((after.frames - before.frames) / (after.at - before.at)) * 1000;
}

/** Resolves when all follow. */
async function follow(
  url: string,
  headers: Record<string, string>,
  told: () => void,
): Promise<ClientRequest[]> {
  return await Promise.all(
    Array.from(
      { length: CLIENTS },
      () =>
        new Promise<ClientRequest>((resolve, reject) => {
          const request = get(`${url}/api/live`, { agent: new Agent(), headers }, (response) => {
            response.once("data", () => resolve(request)).on("data", told);
            response.once("error", () => undefined);
          });
          request.on("error", reject);
        }),
    ),
  );
}
