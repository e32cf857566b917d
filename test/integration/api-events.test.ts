import { describe, expect, it } from "vitest";
import type {
  EventPage,
  EventWhole,
  ListedEvent,
  ObservationPage,
} from "../../service/contract/api-events.ts";
import type { Event } from "../../service/contract/observation.ts";
import { Served } from "../support/access-served.ts";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { until } from "../support/until.ts";

/** A service with some events, e0 to e5, one a second, each with its observation; and who may read it. */
async function withEvents(over: (n: number) => Partial<Event> = () => ({})) {
  const served = await Served.start();
  const at = (n: number) => THEN + n * 1000;
  for (let n = 0; n < 6; n += 1)
    await served.record.write(entry(observation(`o${n}`, {}, at(n)), event(`e${n}`, over(n), at(n))));
  const viewer = served.token({ role: "viewer" });
  const operator = served.token({ role: "operator" });
  const get = async <T>(path: string, token: string = viewer) => (await served.ask(path, token)).body as T;
  const ids = async (query: string) =>
    (await get<EventPage>(`/api/events?${query}`)).events.map(({ id }) => id);
  const send = (method: string, path: string, body?: object, token: string = operator) =>
    served.ask(path, token, {
      method,
      ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  return { served, viewer, operator, get, ids, send };
}

describe("events and observations by HTTP", () => {
  it("come by pages, the newest first, narrowed by what is asked", async () => {
    const { get, ids } = await withEvents((n) => (n % 2 === 0 ? { severity: "alarm" } : { watch: "line" }));
    expect(await ids("")).toEqual(["e5", "e4", "e3", "e2", "e1", "e0"]);
    expect(await ids("severity=alarm&order=asc")).toEqual(["e0", "e2", "e4"]);
    const since = encodeURIComponent(new Date(THEN + 3000).toISOString());
    expect(await ids(`since=${since}&watch=line`)).toEqual(["e5", "e3"]);
    expect(await ids(`until=${since}&open=true`)).toEqual(["e2", "e1", "e0"]);
    expect(await ids("open=false")).toEqual([]);
    expect(await ids("q=DOOR%20blo&limit=2")).toEqual(["e5", "e4"]);
    const first = await get<EventPage>("/api/events?limit=4");
    const second = await get<EventPage>(`/api/events?limit=4&cursor=${first.next}`);
    expect([first.events.length, second.events.map(({ id }) => id), second.next]).toEqual([
      4,
      ["e1", "e0"],
      null,
    ]);
    const seen = await get<ObservationPage>("/api/observations?q=crate&feed=hall&limit=1");
    expect(seen).toMatchObject({ observations: [{ id: "o5" }], next: expect.any(String) });
    expect(await get("/api/observations?feed=attic")).toEqual({ observations: [], next: null });
  });

  it("refuse what makes no sense, and say what does", async () => {
    const { served, viewer, get } = await withEvents();
    const { next } = await get<EventPage>("/api/events?limit=1");
    const refused = async (query: string) => {
      const { status, body } = await served.ask(`/api/events?${query}`, viewer);
      return [status, (body as { error: string }).error];
    };
    expect(await refused("limit=501&colour=red")).toEqual([
      400,
      expect.stringMatching(/limit.*500|unknown key colour/),
    ]);
    expect(await refused("since=yesterday")).toEqual([400, expect.stringMatching(/since.*ISO 8601/)]);
    expect(await refused("since=2026-13-45")).toEqual([400, "since: there is no time 2026-13-45"]);
    expect(await refused("severity=loud")).toEqual([400, expect.stringMatching(/info, warning, alarm/)]);
    expect(await refused("cursor=rubbish")).toEqual([400, expect.stringMatching(/cursor/)]);
    expect(await refused(`order=asc&cursor=${next}`)).toEqual([400, expect.stringMatching(/cursor/)]);
    expect((await served.ask("/api/events", undefined)).status).toBe(401);
    expect((await served.ask("/api/events", served.token({ role: "api" }))).status).toBe(403);
    expect((await served.ask("/api/events/none", viewer)).status).toBe(404);
    expect((await served.ask("/api/events/none/picture.jpg", viewer)).status).toBe(404);
    expect((await served.ask("/api/events/e0/picture.jpg", viewer)).body).toMatchObject({
      error: "no picture is kept of the event e0",
    });
  });

  it("show one event whole, with its answers and its picture", async () => {
    const { served, viewer, get } = await withEvents();
    const ended = { sequence: 1, phase: "end", at: new Date(THEN + 2000).toISOString() } as const;
    await served.record.write({
      ...entry(undefined, event("e0", ended)),
      thumbnail: Buffer.from("\u00ff\u00d8 jpeg", "latin1"),
    });
    const whole = await get<EventWhole>("/api/events/e0");
    expect(whole).toMatchObject({ id: "e0", phase: "end", acknowledged: null, picture: true });
    expect(whole.observations.map(({ id }) => id)).toEqual(["o2", "o1", "o0"]);
    const picture = await fetch(`${served.url}/api/events/e0/picture.jpg`, {
      headers: { authorization: `Bearer ${viewer}` },
    });
    expect(picture.headers.get("content-type")).toBe("image/jpeg");
    expect(Buffer.from(await picture.arrayBuffer()).toString("latin1")).toBe("\u00ff\u00d8 jpeg");
    expect((await get<EventPage>("/api/events")).events.map(({ picture: has }) => has)).toEqual([
      ...Array.from({ length: 5 }, () => false),
      true,
    ]);
  });
});

describe("an event that somebody acknowledges", () => {
  const topics = (served: Served) => served.record.outbox.read(0, 1000).map(({ topic }) => topic);

  it("says so from then on, to the broker too, whoever says it first", async () => {
    const { served, send, get, ids } = await withEvents();
    const before = topics(served).length;
    const first = await send("POST", "/api/events/e1/acknowledge", { note: "swept" });
    expect(first.status).toBe(200);
    const acknowledged = { at: new Date(served.clock.now()).toISOString(), by: "a-operator", note: "swept" };
    expect(first.body).toMatchObject({ id: "e1", acknowledged });
    served.clock.advance(5000);
    // Said again, with and without the note: it stays as it was, and nobody is told twice.
    for (const body of [{ note: "swept" }, {}, undefined])
      expect((await send("POST", "/api/events/e1/acknowledge", body)).body).toMatchObject({ acknowledged });
    expect(topics(served).slice(before)).toEqual(["perch/box/event/door/blocked/acknowledged"]);
    expect(JSON.parse(served.record.outbox.read(0, 1000).at(-1)?.payload ?? "")).toEqual({
      ...{ event: "e1", node: "test-node", watch: "door", rule: "blocked" },
      acknowledged,
    });
    const other = await send("POST", "/api/events/e1/acknowledge", { note: "mopped" });
    expect([other.status, other.body]).toEqual([
      409,
      expect.objectContaining({ error: expect.stringMatching(/a-operator has acknowledged it/) }),
    ]);
    expect(await ids("acknowledged=true")).toEqual(["e1"]);
    expect(await ids("acknowledged=false")).toEqual(["e5", "e4", "e3", "e2", "e0"]);
    // Its own messages leave it as it is.
    await served.record.write(entry(undefined, event("e1", { sequence: 1, phase: "update" }, THEN + 1000)));
    expect(await get("/api/events/e1")).toMatchObject({ phase: "update", acknowledged });
  });

  it("is told of once, where several say it at the same moment", async () => {
    const { served, send } = await withEvents();
    const before = topics(served).length;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send("POST", "/api/events/e2/acknowledge")),
    );
    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(topics(served).length - before).toBe(1);
    // Before either is on the disk.
    const { record } = served.recordSide;
    const both = await Promise.all(["a", "b"].map((by) => record.acknowledge("e3", by, undefined)));
    expect(both.map(({ acknowledged }) => acknowledged?.by)).toEqual(["a", "a"]);
    const notes = ["one", "another"].map((note) => record.acknowledge("e4", "a", note));
    expect((await Promise.allSettled(notes)).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(topics(served).length - before).toBe(3);
    expect(served.record.outbox.pending()).toBe(before + 3);
  });

  it("is not, once that is taken back; both are in the audit", async () => {
    const { served, send, get } = await withEvents();
    await send("POST", "/api/events/e3/acknowledge", { note: "seen" });
    for (let times = 0; times < 2; times += 1)
      expect((await send("DELETE", "/api/events/e3/acknowledge")).body).toMatchObject({ acknowledged: null });
    expect(topics(served).filter((topic) => topic.endsWith("/acknowledged"))).toHaveLength(2);
    expect((await get<ListedEvent>("/api/events/e3")).acknowledged).toBeNull();
    const viewer = served.token({ role: "viewer", name: "eyes" });
    expect((await send("POST", "/api/events/e3/acknowledge", {}, viewer)).status).toBe(403);
    expect((await send("POST", "/api/events/none/acknowledge")).status).toBe(404);
    await until(() => served.record.queries.audit().length === 4);
    expect(served.record.queries.audit().map(({ who, what, outcome }) => [who, what, outcome])).toEqual([
      ["a-operator", "acknowledge the event none", expect.stringMatching(/refused: there is no event none/)],
      ...Array.from({ length: 2 }, () => [
        "a-operator",
        "withdraw the acknowledgement of the event e3",
        "done",
      ]),
      ["a-operator", "acknowledge the event e3", "done"],
    ]);
  });

  it("is refused with a reason where the note is too long", async () => {
    const { send } = await withEvents();
    const { status, body } = await send("POST", "/api/events/e3/acknowledge", { note: "x".repeat(1001) });
    expect([status, body]).toMatchObject([400, { issues: [{ at: "note" }] }]);
  });
});

describe("what people changed and the governor decided", () => {
  it("comes by pages, the newest first", async () => {
    const { served, send, viewer } = await withEvents();
    const admin = await served.adminToken();
    for (const id of ["e0", "e1", "e2"]) {
      served.clock.advance(1000);
      await send("POST", `/api/events/${id}/acknowledge`);
    }
    await until(() => served.record.queries.audit().length === 3);
    const { body: first } = await served.ask("/api/audit?limit=2", admin);
    expect(first).toMatchObject({
      audit: [{ what: "acknowledge the event e2", role: "operator", from: "127.0.0.1" }, { outcome: "done" }],
      next: expect.any(String),
    });
    const { next } = first as { next: string };
    const { body: second } = await served.ask(`/api/audit?limit=2&cursor=${next}`, admin);
    expect(second).toMatchObject({ audit: [{ what: "acknowledge the event e0" }], next: null });
    expect((await served.ask("/api/audit", served.token({ role: "operator", name: "o" }))).status).toBe(403);
    const decision = { level: "q8", pace: 0.5, reason: "heat", text: "hot", next: null } as const;
    for (const at of [THEN, THEN + 1])
      await served.record.write({
        ...{ events: [], messages: [] },
        decision: { ...decision, at, hottest: 91, simulated: true, free: { ram: 5 } },
      });
    expect((await served.ask("/api/governor/decisions")).status).toBe(401);
    expect((await served.ask("/api/governor/decisions?limit=1", viewer)).body).toEqual({
      decisions: [
        { ...decision, at: new Date(THEN + 1).toISOString(), hottest: 91, simulated: true, free: { ram: 5 } },
      ],
      next: expect.any(String),
    });
  });
});
