import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FeedView } from "../../service/contract/api-feeds.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { CELL_FEEDS, SCENE_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

const HIDDEN = {
  id: "yard",
  kind: "camera",
  title: "The yard",
  source: "http://127.0.0.1:9/video?key=sesame",
  user: "viewer",
  password: "open-sesame",
  enabled: false,
};

let perch: ServedAppliance;
beforeAll(async () => {
  perch = new ServedAppliance({ feeds: [...CELL_FEEDS, HIDDEN], watches: [SCENE_WATCH] });
  await perch.start();
});
afterAll(() => perch.dispose());

async function feed(id: string): Promise<FeedView> {
  return (await perch.ask(`/api/feeds/${id}`)).body as FeedView;
}
const live = (id: string) => until(async () => (await feed(id)).state === "live");
const patch = (path: string, body: unknown, role: "operator" | "viewer" = "operator") =>
  perch.ask(path, { method: "PATCH", body, role });

describe("feeds by HTTP", () => {
  it("tells of each what it is, what it does, and who asks of it, and no password", async () => {
    await live("camera");
    await live("microphone");
    await until(async () => ((await feed("camera")).fps ?? 0) > 0);
    const { status, body } = await perch.ask("/api/feeds", { role: "viewer" });
    expect(status).toBe(200);
    const { feeds } = body as { feeds: FeedView[] };
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(feeds).toEqual([
      {
        ...{ id: "camera", kind: "camera", source: "sim:cell?seed=7", enabled: true, changed: false },
        ...{ state: "live", since: time, last: time, fps: expect.any(Number), watches: ["scene"] },
      },
      {
        ...{ id: "microphone", kind: "microphone", source: "sim:cell?seed=7", enabled: true },
        ...{ changed: false, state: "live", since: time, last: time, fps: null, watches: [] },
      },
      {
        ...{ id: "yard", kind: "camera", title: "The yard", source: "http://127.0.0.1:9/video" },
        ...{ enabled: false, changed: false, state: "disabled", reason: "switched off", since: time },
        ...{ last: null, fps: 0, watches: [] },
      },
    ]);
    expect(feeds[0]).toEqual(
      await feed("camera").then((now) => ({ ...now, last: time, fps: feeds[0]?.fps })),
    );
  });

  it("shows a camera's newest picture, with its time, and not again to who has it", async () => {
    await live("camera");
    const response = await fetch(`${perch.url}/api/feeds/camera/snapshot.jpg`, {
      headers: { authorization: `Bearer ${perch.token("viewer")}` },
    });
    const jpeg = Buffer.from(await response.arrayBuffer());
    expect(jpeg.subarray(0, 2).toString("hex")).toBe("ffd8");
    expect(jpeg.subarray(-2).toString("hex")).toBe("ffd9");
    const { headers } = response;
    expect(headers.get("content-type")).toBe("image/jpeg");
    expect(headers.get("cache-control")).toBe("no-store");
    const captured = Date.parse(headers.get("x-captured") ?? "");
    expect(Date.now() - captured).toBeLessThan(60_000);
    expect(Date.parse(headers.get("last-modified") ?? "")).toBe(Math.floor(captured / 1000) * 1000);
    // Until the next picture comes.
    await until(async () => {
      const path = "/api/feeds/camera/snapshot.jpg";
      const tag = (await perch.ask(path)).headers.get("etag");
      const again = await perch.ask(path, { headers: { "if-none-match": tag } });
      return again.status === 304 && again.body === "";
    });
  });

  it.each([
    ["/api/feeds/nobody", 404, /there is no feed nobody; feeds: camera, microphone, yard/],
    ["/api/feeds/nobody/snapshot.jpg", 404, /there is no feed nobody/],
    ["/api/feeds/microphone/snapshot.jpg", 404, /is a microphone and has no picture: .*clip\.wav/],
    ["/api/feeds/yard/snapshot.jpg", 503, /the camera yard has no picture: it is disabled: switched off/],
    ["/api/feeds/yard/live.mjpeg", 503, /the camera yard has no picture/],
    ["/api/feeds/camera/live.mjpeg?fps=99", 400, /fps/],
    ["/api/feeds/camera/live.mjpeg?fsp=9", 400, /unknown key fsp; known keys: fps/],
  ])("says why there is nothing at %s", async (path, status, error) => {
    expect(await perch.ask(path)).toMatchObject({ status, body: { error: expect.stringMatching(error) } });
  });

  it("switches a feed off and on for good, for operators, and puts it into the audit", async () => {
    await live("camera");
    expect((await patch("/api/feeds/camera", { enabled: false }, "viewer")).status).toBe(403);
    expect(await patch("/api/feeds/camera", { enabled: "no", on: 1 })).toMatchObject({
      status: 400,
      body: { issues: [{ at: "enabled" }, { at: "on" }] },
    });
    const off = { enabled: false, changed: true, state: "disabled", reason: "switched off" };
    expect(await patch("/api/feeds/camera", { enabled: false })).toMatchObject({ status: 200, body: off });
    expect((await perch.ask("/api/feeds/camera/snapshot.jpg")).status).toBe(503);
    expect(perch.changes).toContain("camera:\n    enabled: false\n");

    expect((await patch("/api/feeds/nobody", { enabled: false })).status).toBe(404);
    await patch("/api/feeds/yard", { enabled: true });

    await perch.stop();
    await perch.start({ feeds: CELL_FEEDS });
    expect(await feed("camera")).toMatchObject(off);
    expect(perch.log.some((line) => /^changes {2}feed camera off, by .*changes\.yaml$/.test(line))).toBe(
      true,
    );
    expect(perch.health().changes).toMatchObject({
      state: "degraded",
      reason: expect.stringContaining("feed yard is left out: there is no such feed"),
    });

    const restore = (id: string) => perch.ask(`/api/feeds/${id}/restore`, { method: "POST" });
    expect((await restore("yard")).status).toBe(404);
    expect(perch.health().changes).toEqual({ state: "ok" });
    expect(await restore("camera")).toMatchObject({ status: 200, body: { enabled: true, changed: false } });
    await live("camera");
    expect((await perch.ask("/api/feeds/camera/snapshot.jpg")).status).toBe(200);
  });
});

describe("live pictures", () => {
  /** Times of the first pictures of a stream. */
  async function captured(count: number): Promise<number[]> {
    const response = await fetch(`${perch.url}/api/feeds/camera/live.mjpeg?fps=30`, {
      headers: { authorization: `Bearer ${perch.token("viewer")}` },
    });
    expect(response.headers.get("content-type")).toBe("multipart/x-mixed-replace; boundary=picture");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    let text = "";
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString("latin1");
      const parts = text.split("\r\n--picture\r\n").slice(0, -1);
      if (parts.length < count) continue;
      return parts.map((part) => {
        const [head = "", jpeg = ""] = part.split(/\r\n\r\n(.*)/s);
        expect(head).toContain(`Content-Length: ${jpeg.length}`);
        expect(jpeg.startsWith("\xff\xd8") && jpeg.endsWith("\xff\xd9")).toBe(true);
        return Date.parse(/X-Captured: (.*)/.exec(head)?.[1] ?? "");
      });
    }
    throw new Error("the stream ended");
  }

  it("come one after the other", async () => {
    await live("camera");
    const all = await captured(4);
    expect(all).toEqual([...new Set(all)].sort());
  });

  it("end when the service does", async () => {
    await live("camera");
    const response = await fetch(`${perch.url}/api/feeds/camera/live.mjpeg`, {
      headers: { authorization: `Bearer ${perch.token("viewer")}` },
    });
    const ended = (async () => {
      for await (const _ of response.body ?? []);
    })().catch(() => undefined);
    await perch.stop();
    await ended;
  });
});
