import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WatchList, WatchView } from "../../service/contract/api-watches.ts";
import type { Event } from "../../service/contract/observation.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { CELL_FEEDS, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

/** Holds whatever the camera shows. */
const ALWAYS = { id: "always", when: "display >= 0" };
const ADDED = { ...SCENE_WATCH, id: "added", rules: [ALWAYS, { id: "too", when: "display >= 0" }] };

let perch: ServedAppliance;
beforeAll(async () => {
  perch = new ServedAppliance({ feeds: CELL_FEEDS, watches: [SCENE_WATCH, SOUND_WATCH] });
  await perch.start();
  await perch.ready();
});
afterAll(() => perch.dispose());

const watches = async () => (await perch.ask("/api/watches")).body as WatchList;
const watch = async (id: string) => (await perch.ask(`/api/watches/${id}`)).body as WatchView;
const send = (method: string, id: string, body?: object, headers: object = {}) =>
  perch.ask(`/api/watches/${id}`, { method, ...(body && { body }), headers });

/** Events of a watch as the record has them. */
function events(of: string): Pick<Event, "id" | "rule" | "phase" | "sequence" | "reason">[] {
  const database = new Database(`${perch.data}/perch.db`, { readonly: true });
  const rows = database
    .prepare("SELECT id, rule, phase, sequence, reason FROM event WHERE watch = ? ORDER BY rule, number")
    .all(of);
  database.close();
  return rows as ReturnType<typeof events>;
}

describe("watches by HTTP", () => {
  it("are listed as they are written, with where they come from", async () => {
    const { status, body } = await perch.ask("/api/watches", { role: "viewer" });
    expect(status).toBe(200);
    const { watches: all, removed, leftOut } = body as WatchList;
    expect(all.map(({ id, origin, running }) => [id, origin, running])).toEqual([
      ["scene", "file", true],
      ["sound", "file", true],
    ]);
    expect(all[0]?.watch).toMatchObject({
      ...SCENE_WATCH,
      ...{ spacing: "500ms", deadline: "10s", frames: 1, lane: "watch", enabled: true },
      rules: [{ for: "0s", release: "0s", cooldown: "0s" }, { severity: "alarm" }],
    });
    expect([removed, leftOut]).toEqual([[], []]);
    const one = await perch.ask("/api/watches/scene");
    expect(one.body).toEqual(all[0]);
    expect(one.headers.get("etag")).toBe(all[0]?.etag);
  });

  it("are refused as a configuration file would be, with every fault and its place", async () => {
    const schema = await perch.ask("/api/watches", {
      body: { ...ADDED, id: "Added", deadline: 10, questions: "?", feeds: [] },
    });
    expect(schema).toMatchObject({ status: 400, body: { code: "request_invalid" } });
    const places = ({ body }: typeof schema) =>
      (body as { issues: { at: string }[] }).issues.map(({ at }) => at).sort();
    expect(places(schema)).toEqual(["deadline", "feeds", "id", "questions"]);

    const wrong = {
      ...ADDED,
      feeds: ["camera", "door"],
      frames: 2,
      spacing: "1m",
      answer: { in: { type: "boolean" }, count: { type: "integer", minimum: 3, maximum: 1 } },
      rules: [ALWAYS, ALWAYS],
    };
    expect(places(await perch.ask("/api/watches", { body: wrong }))).toEqual([
      ...["answer.count", "answer.in", "feeds[1]", "rules[1].id", "spacing"],
    ]);
    const rules = [{ id: "a", when: "nothing > 3" }, ALWAYS, { id: "b", when: "display" }];
    const replaced = await send("PUT", "scene", { ...SCENE_WATCH, rules });
    expect(places(replaced)).toEqual(["rules[0].when", "rules[2].when"]);
    expect(await watch("scene")).toMatchObject({ origin: "file", watch: SCENE_WATCH });
    expect(perch.changes).toBe("");
  });

  it("are for admins to change, and for nobody without a token", async () => {
    for (const role of ["viewer", "operator"] as const)
      expect((await perch.ask("/api/watches", { role, body: ADDED })).status).toBe(403);
    expect((await fetch(`${perch.url}/api/watches`)).status).toBe(401);
    expect((await perch.ask("/api/watches/scene", { role: "operator", method: "DELETE" })).status).toBe(403);
  });

  it("ask from the moment that they are added; events of rules that stay go on, others end with the reason", async () => {
    const added = await perch.ask("/api/watches", { body: ADDED });
    expect(added).toMatchObject({ status: 201, body: { id: "added", origin: "added", running: true } });
    expect(added.headers.get("location")).toBe("/api/watches/added");
    await until(() => events("added").length === 2);
    const [always, too] = events("added");

    const fewer = { ...ADDED, question: "What is there?", rules: [{ ...ALWAYS, severity: "alarm" }] };
    expect(await send("PUT", "added", fewer)).toMatchObject({ status: 200, body: { origin: "added" } });
    await until(() => events("added")[1]?.phase === "end");
    expect(events("added")[1]).toMatchObject({
      id: too?.id,
      reason: "its watch or rule is no longer in the configuration",
    });
    const before = events("added")[0]?.sequence ?? 0;
    await until(() => (events("added")[0]?.sequence ?? 0) > before);
    expect(events("added")[0]).toMatchObject({ id: always?.id, phase: "update" });

    expect((await send("DELETE", "added")).status).toBe(204);
    await until(() => events("added").every(({ phase }) => phase === "end"));
    expect(events("added")).toHaveLength(2);
    expect((await send("DELETE", "added")).status).toBe(404);
    expect((await watches()).removed).toEqual([]);
  });

  it("are not changed over somebody else's change", async () => {
    const { etag } = await watch("scene");
    const first = await send("PUT", "scene", { ...SCENE_WATCH, lane: "batch" }, { "if-match": etag });
    expect(first).toMatchObject({ status: 200, body: { origin: "changed" } });
    for (const method of ["PUT", "DELETE"]) {
      const late = await send(method, "scene", method === "PUT" ? SCENE_WATCH : undefined, {
        "if-match": etag,
      });
      expect(late).toMatchObject({ status: 412, body: { error: expect.stringMatching(/read it again/) } });
    }
    const newer = first.headers.get("etag") ?? "";
    const off = await send("PATCH", "scene", { enabled: false }, { "if-match": newer });
    expect(off).toMatchObject({ status: 200, body: { running: false, reason: "it is switched off" } });
    expect(await perch.ask("/api/watches", { body: SCENE_WATCH })).toMatchObject({ status: 409 });
    expect((await send("PUT", "other", SCENE_WATCH)).body).toMatchObject({ issues: [{ at: "id" }] });
    const created = await send("PUT", "other", { ...SCENE_WATCH, id: undefined }, { "if-match": newer });
    expect(created.status).toBe(412);
  });

  it("stay changed over a restart, and can be restored to what the configuration file says", async () => {
    await send("DELETE", "sound");
    await send("PUT", "second", { ...ADDED, id: "second", enabled: false });
    await perch.stop();
    await perch.start();
    const { watches: all, removed } = await watches();
    expect(all.map(({ id, origin, running }) => [id, origin, running])).toEqual([
      ["scene", "changed", false],
      ["second", "added", false],
    ]);
    expect(removed).toEqual(["sound"]);

    const restore = (id: string) => send("POST", `${id}/restore`);
    expect(await restore("sound")).toMatchObject({ status: 200, body: { origin: "file", running: true } });
    expect(await restore("scene")).toMatchObject({ status: 200, body: { origin: "file", running: true } });
    expect(await restore("second")).toMatchObject({ status: 204, body: "" });
    expect(await restore("second")).toMatchObject({ status: 404 });
    expect(perch.changes).toContain("watches: {}");
  });

  it("rest while one of their feeds is switched off", async () => {
    const off = await perch.ask("/api/feeds/camera", { method: "PATCH", body: { enabled: false } });
    expect(off.status).toBe(200);
    expect(await watch("scene")).toMatchObject({
      ...{ running: false, reason: "the camera camera is switched off", watch: { enabled: true } },
    });
    await perch.ask("/api/feeds/camera/restore", { method: "POST" });
    expect((await watch("scene")).running).toBe(true);
  });

  it("leave who changed what in the audit", async () => {
    const database = new Database(`${perch.data}/perch.db`, { readonly: true });
    const rows = database.prepare("SELECT who, role, what, outcome FROM audit").all() as { what: string }[];
    database.close();
    expect(rows).toContainEqual({
      who: "a-admin",
      role: "admin",
      what: "watch added removed",
      outcome: "done",
    });
    expect(rows).toContainEqual(
      expect.objectContaining({ outcome: expect.stringMatching(/^refused: there is no watch added/) }),
    );
    expect(rows.some(({ what }) => what.startsWith('watch added added: {"id":"added","question"'))).toBe(
      true,
    );
  });
});
