import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FeedView } from "../../service/contract/api-feeds.ts";
import type { TrialResult } from "../../service/contract/api-watches.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { CELL_FEEDS, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

const RULES = [
  { id: "some", when: "display >= 0", severity: "alarm" },
  { id: "none", title: "Never", when: "display < 0" },
];
/** Switched off: what it is asked is all that there can be of it. */
const RESTING = { ...SCENE_WATCH, id: "resting", rules: RULES, enabled: false };
const NEW = { ...SCENE_WATCH, id: undefined, rules: RULES };

let perch: ServedAppliance;
let picture: string;
beforeAll(async () => {
  perch = new ServedAppliance({ feeds: CELL_FEEDS, watches: [RESTING] });
  await perch.start();
  await perch.ready();
  for (const id of ["camera", "microphone"])
    await until(async () => ((await perch.ask(`/api/feeds/${id}`)).body as FeedView).state === "live");
  const response = await fetch(`${perch.url}/api/feeds/camera/snapshot.jpg`, {
    headers: { authorization: `Bearer ${perch.token("viewer")}` },
  });
  picture = Buffer.from(await response.arrayBuffer()).toString("base64");
});
afterAll(() => perch.dispose());

const attempt = (body: object, role: "operator" | "viewer" = "operator") =>
  perch.ask("/api/watches/try", { body, role });
async function result(body: object): Promise<TrialResult> {
  const { status, body: answered } = await attempt(body);
  expect([status, answered]).toEqual([200, expect.any(Object)]);
  return answered as TrialResult;
}

describe("a watch that is tried", () => {
  it("answers about what its camera shows now, with the rules that hold and what answered; nothing is kept", async () => {
    const tried = await result({ id: "resting", snapshot: true });
    const time = expect.any(Number);
    expect(tried).toEqual({
      watch: "resting",
      answer: {
        person: expect.any(Boolean),
        light: expect.stringMatching(/^(off|green|amber|red)$/),
        display: expect.any(Number),
      },
      rules: [
        { id: "some", severity: "alarm", holds: true },
        { id: "none", title: "Never", severity: "info", holds: false },
      ],
      took: { media: time, queue: time, prompt: time, decode: time, total: time },
      provenance: expect.objectContaining({ ladder: "perch-small", level: "q8_0" }),
    });
    const database = new Database(`${perch.data}/perch.db`, { readonly: true });
    const counts = ["observation", "event", "outbox"].map((table) =>
      database.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
    );
    database.close();
    expect(counts).toEqual([0, 0, 0]);
  });

  it("answers about pictures that are handed in, as base64 or as data: URLs", async () => {
    const one = await result({ watch: NEW, images: [picture] });
    const other = await result({ watch: NEW, images: [`data:image/jpeg;base64,${picture}`] });
    expect(one.watch).toBe("try");
    expect(other.answer).toEqual(one.answer);
    const two = { ...NEW, frames: 2, question: "Describe the images." };
    expect((await result({ watch: two, images: [picture, picture] })).answer).toHaveProperty("light");
  });

  it("takes several pictures as far apart as the watch says, and listens to a microphone", async () => {
    const joint = {
      ...NEW,
      feeds: ["camera", "microphone"],
      frames: 2,
      spacing: "250ms",
      answer: { ...SCENE_WATCH.answer, ...SOUND_WATCH.answer },
    };
    const { answer, took } = await result({ watch: joint, snapshot: true, seconds: 0.5 });
    expect(answer).toMatchObject({ light: expect.any(String), sound: expect.any(String) });
    expect(took.total).toBeGreaterThanOrEqual(took.media);
  });

  it("answers about sound that is handed in", async () => {
    const clip = await fetch(`${perch.url}/api/feeds/microphone/clip.wav?seconds=0.5`, {
      headers: { authorization: `Bearer ${perch.token("viewer")}` },
    });
    const audio = Buffer.from(await clip.arrayBuffer()).toString("base64");
    const { answer } = await result({ watch: { ...SOUND_WATCH, rules: [] }, audio });
    expect(Object.keys(answer)).toEqual(["sound", "words"]);
    const broken = await attempt({ watch: SOUND_WATCH, audio: Buffer.alloc(64).toString("base64") });
    expect(broken).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^audio: /) } });
  });

  it.each([
    ["nothing to try", () => ({ snapshot: true }), "", /needs either id/],
    ["two at once", () => ({ id: "resting", watch: NEW }), "", /needs either id/],
    ["no picture", () => ({ id: "resting" }), "images", /asks about 1 picture: hand in images, or snapshot/],
    ["too many", () => ({ id: "resting", images: [picture, picture] }), "images", /and these are 2/],
    [
      "sound for a camera",
      () => ({ id: "resting", audio: picture, snapshot: true }),
      "audio",
      /no microphone/,
    ],
    ["a wrong watch", () => ({ watch: { ...NEW, feeds: ["door"] } }), "watch.feeds[0]", /no such feed/],
    ["a wrong key", () => ({ id: "resting", snapshots: true }), "snapshots", /unknown key/],
  ])("is refused with its place: %s", async (_, body, at, message) => {
    expect(await attempt(body())).toMatchObject({
      status: 400,
      body: { issues: [{ at, message: expect.stringMatching(message) }] },
    });
  });

  it.each([
    ["an address", "https://example.com/a.jpg", /images\[0\]: addresses and files are not read/],
    ["a path", "file:///etc/passwd", /images\[0\]: addresses and files are not read/],
    ["no base64", "this is none", /images\[0\]: this is no base64/],
    ["no picture", Buffer.from("no picture").toString("base64"), /images\[0\]: this is no JPEG, PNG or WebP/],
    ["half a picture", () => picture.slice(0, 800), /images\[0\]: /],
  ])("takes no picture that is %s", async (_, image, error) => {
    const images = [typeof image === "string" ? image : image()];
    expect(await attempt({ id: "resting", images })).toMatchObject({
      status: 400,
      body: { code: "media_invalid", error: expect.stringMatching(error) },
    });
  });

  it("is there for operators, of watches and cameras that are there", async () => {
    expect((await attempt({ id: "resting", snapshot: true }, "viewer")).status).toBe(403);
    expect((await attempt({ id: "nobody", snapshot: true })).status).toBe(404);
    await perch.ask("/api/feeds/camera", { method: "PATCH", body: { enabled: false } });
    expect(await attempt({ id: "resting", snapshot: true })).toMatchObject({
      status: 503,
      body: { error: "the camera camera has no picture: it is disabled: switched off" },
    });
  });
});
