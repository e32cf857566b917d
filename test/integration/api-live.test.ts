import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LiveEvent } from "../../service/contract/api-live.ts";
import type { Event, Observation } from "../../service/contract/observation.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { LiveReader } from "../support/live-reader.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { until } from "../support/until.ts";

async function served(data?: string) {
  const service = await Served.start({ ...(data !== undefined && { data }) });
  const token = await service.adminToken();
  const write = (id: string, over: Partial<Event> = {}) => {
    const seen = observation(`seen-${id}-${over.sequence ?? 0}`, { watch: over.watch ?? "door" });
    return service.record.write(entry(seen, event(id, over)));
  };
  const open = (query = "", lastId = "") => LiveReader.open(service.url, token, query, lastId);
  return { service, token, write, open };
}

const idsOf = (reader: LiveReader) => reader.of<LiveEvent>("event").map(({ event: { id } }) => id);

describe("whoever follows live", () => {
  it("is told of every change of an event once, as it is committed, and of states", async () => {
    const { service, token, write, open } = await served();
    const { live } = service.recordSide;
    live.feed({ feed: "hall", state: "starting", since: "2026-11-03T08:00:00.000Z" });
    const reader = await open();
    expect(reader.told[0]).toMatchObject({ event: "hello", data: { gap: false } });
    await reader.have("feed", 1);
    await write("e1");
    await write("e1", { sequence: 1, phase: "update" });
    // One that came late: it changes nothing.
    await service.record.write(entry(undefined, event("e1")));
    await service.ask("/api/events/e1/acknowledge", token, { method: "POST" });
    await write("e1", { sequence: 2, phase: "end" });
    await service.ask("/api/events/e1/acknowledge", token, { method: "DELETE" });
    live.feed({ feed: "hall", state: "live", since: "2026-11-03T08:00:01.000Z" });
    await reader.have("feed", 2);
    await reader.have("event", 5);
    expect(
      reader
        .of<LiveEvent>("event")
        .map(({ change, event: { phase, acknowledged } }) => [change, phase, acknowledged?.by]),
    ).toEqual([
      ["start", "start", undefined],
      ["update", "update", undefined],
      ["acknowledged", "update", "admin.token"],
      ["end", "end", "admin.token"],
      ["unacknowledged", "end", undefined],
    ]);
    expect(reader.of("feed")).toMatchObject([{ state: "starting" }, { state: "live" }]);
    expect(reader.of("observation")).toEqual([]);
    // Whoever comes later is told of states as they are now.
    const later = await open("kinds=feed");
    await later.have("feed", 1);
    expect(later.of("feed")).toMatchObject([{ state: "live" }]);
  });

  it("is told of what it wants only", async () => {
    const { service, write, open } = await served();
    const both = await open("kinds=event,observation&watch=line");
    const seen = await open("kinds=observation");
    await write("e1");
    await write("e2", { watch: "line" });
    await both.have("event", 1);
    await both.have("observation", 1);
    expect(idsOf(both)).toEqual(["e2"]);
    await seen.have("observation", 2);
    expect(seen.of<Observation>("observation")[0]).toEqual(service.record.queries.observations()[1]);
    expect(seen.of("event")).toEqual([]);
    expect((await open("kinds=event,rumours")).status).toBe(400);
    expect((await open("after=nonsense")).status).toBe(400);
  });

  it("misses nothing and is told nothing twice, however often it leaves and the service starts again", async () => {
    const step = fc.constantFrom("write", "write", "leave", "restart", "pause");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 10 }), async (steps) => {
        const data = await accessFolder();
        let { service, write, open } = await served(data);
        let reader = await open();
        const ids: string[] = [];
        let written = 0;
        const leave = () => {
          reader.leave();
          ids.push(...idsOf(reader));
          return reader.lastId;
        };
        for (const what of steps) {
          if (what === "write") {
            await Promise.all([write(`e${written}`), write(`e${written + 1}`)]);
            written += 2;
          } else if (what === "pause") await new Promise((resolve) => setTimeout(resolve, 2));
          else {
            const last = leave();
            await write(`e${written}`);
            written += 1;
            if (what === "restart") {
              await service.stop();
              ({ service, write, open } = await served(data));
            }
            reader = await open("", last);
          }
        }
        await until(() => ids.length + idsOf(reader).length >= written);
        await write("last");
        await until(() => idsOf(reader).includes("last"));
        leave();
        expect(ids).toEqual([...Array.from({ length: written }, (_, n) => `e${n}`), "last"]);
        await service.stop();
      }),
      { numRuns: 5 },
    );
  });

  it("is told nothing twice that comes while it catches up", async () => {
    const { service, open } = await served();
    const first = await open();
    const count = 2_000;
    const written = Array.from({ length: count }, (_, n) =>
      service.record.write({ events: [event(`e${n}`)], messages: [] }),
    );
    const begin = first.told[0]?.id;
    const [late, new_] = await Promise.all(
      [begin, ""].map((id) => Promise.all(Array.from({ length: 20 }, () => open("kinds=event", id)))),
    );
    await Promise.all(written);
    const all = Array.from({ length: count }, (_, n) => `e${n}`);
    for (const reader of [first, ...(late ?? [])]) {
      await reader.have("event", count);
      expect(idsOf(reader)).toEqual(all);
    }
    // Without an id it begins where the record is then; this record began with e0 as its first change.
    for (const reader of new_ ?? []) {
      const from = Number(reader.told[0]?.id?.split("-")[0]);
      await reader.have("event", count - from);
      expect(idsOf(reader)).toEqual(all.slice(from));
    }
  });

  it("is told that there is a gap where what it missed is not kept any more, and of all the rest", async () => {
    const { service, write, open } = await served();
    const early = await open();
    await write("e1");
    await early.have("event", 1);
    const { lastId } = early;
    early.leave();
    await write("e2");
    // Nothing was missed but e2, however old the rest is.
    service.clock.advance(86_400_000 + 1);
    await write("e3");
    await service.record.retain();
    const late = await open("", lastId);
    await late.have("event", 1);
    expect(late.told[0]).toMatchObject({ data: { gap: true } });
    expect(late.of("gap")).toEqual([{ reason: expect.stringMatching(/^changes before 20.* are not kept/) }]);
    expect(idsOf(late)).toEqual(["e3"]);
    // The id of a place of which everything after is kept.
    const again = await open("", late.lastId);
    expect(again.told[0]).toMatchObject({ data: { gap: false } });
    for (const foreign of ["999-5", `${late.lastId.split("-")[0]}-17`, "not an id"]) {
      const other = await open("", foreign);
      expect([foreign, other.told[0]?.data]).toEqual([foreign, { gap: true }]);
    }
  });

  it("has signs of life, with the place that it has come to though nothing was for it", async () => {
    const { service, write, open } = await served();
    const reader = await open("watch=line");
    const { lastId } = reader;
    await write("e1");
    await until(() => {
      service.clock.advance(15_000);
      return reader.signs > 0 && reader.lastId !== lastId;
    });
    expect(reader.of("event")).toEqual([]);
    const again = await open("watch=line,door", reader.lastId);
    await write("e2");
    await again.have("event", 1);
    expect(idsOf(again)).toEqual(["e2"]);
  });

  it("is let go when its token is revoked, and when the service stops", async () => {
    const { service, open } = await served();
    const token = service.token({ role: "viewer", name: "gone" });
    const reader = await LiveReader.open(service.url, token);
    const other = await open();
    service.tokens.revoke("gone");
    service.clock.advance(15_000);
    await until(() => reader.ended);
    expect(reader.of("dropped")).toEqual([{ reason: expect.stringMatching(/does not count any more/) }]);
    expect(other.ended).toBe(false);
    await service.stop();
    await until(() => other.ended);
    expect(other.of("dropped")).toEqual([{ reason: "the service stops" }]);
  });

  it("is let go when it reads nothing, holds nobody else up, and finds all of it when it comes again", async () => {
    const { service, token, open } = await served();
    const other = await open();
    const { port } = new URL(service.url);
    const deaf = connect(Number(port), "127.0.0.1");
    await once(deaf, "connect");
    deaf.write(`GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    const [begin] = (await once(deaf, "data")) as [Buffer];
    deaf.pause();
    expect(begin.toString()).toMatch(/^HTTP\/1.1 200/);
    const first = other.lastId;
    // More than sockets hold by themselves.
    const answer = { note: "x".repeat(20_000) };
    const count = 600;
    const written = Array.from({ length: count }, (_, n) =>
      service.record.write({ events: [event(`e${n}`, { answer })], messages: [] }),
    );
    await Promise.all(written);
    await until(() => idsOf(other).length === count);
    await until(() => {
      service.clock.advance(30_000);
      return service.log.some((line) => line.includes("was let go: you read nothing"));
    });
    service.clock.advance(2_000);
    deaf.resume();
    await once(deaf, "close");
    const again = await open("", first);
    await until(() => idsOf(again).length === count);
    expect(idsOf(again)).toEqual(idsOf(other));
  });

  it("is one of 256 at most", async () => {
    const { open } = await served();
    const readers = await Promise.all(Array.from({ length: 256 }, () => open()));
    expect(readers.every(({ status }) => status === 200)).toBe(true);
    expect((await open()).status).toBe(429);
    readers[0]?.leave();
    await until(async () => (await open()).status === 200);
  });
});
