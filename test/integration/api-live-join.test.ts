import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { LiveClient } from "../../service/api/live/client.ts";
import { Live } from "../../service/api/live/live.ts";
import type { LiveEvent, LiveKind } from "../../service/contract/api-live.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { LiveReader } from "../support/live-reader.ts";
import { event } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";

/** Events of one commit: they are told in many chunks, each in a turn of the event loop of its own. */
const COUNT = 1_000;

/** Live over a real record, whose clients come when the test says so: connected already, they join within one turn. */
async function served() {
  const record = await openRecord(await testFolder());
  const clock = new FakeClock();
  let furthest = 0;
  let onChunk = (_after: number): void => undefined;
  const live = new Live({
    clock,
    logger: silentLogger,
    changes: {
      after: (number, limit, observations) => {
        const found = record.changes.after(number, limit, observations);
        // Who tells is ahead of all who catch up.
        if (number > furthest && number < record.changes.newest()) {
          furthest = number;
          onChunk(number);
        }
        return found;
      },
      at: (number) => record.changes.at(number),
      oldest: () => record.changes.oldest(),
      newest: () => record.changes.newest(),
      onChanged: (callback) => record.onChanged(callback),
    },
  });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    live.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  /** A client that is connected and has not joined. */
  const connected = async () => {
    const asked = once(server, "request");
    const reader = LiveReader.open(`http://127.0.0.1:${port}`, "none");
    const [, raw] = (await asked) as [unknown, ServerResponse];
    return { raw, reader };
  };
  /** As the route does it, after the id that the client had seen last. */
  const join = (raw: ServerResponse, last?: string) => {
    const resumed = live.resume(last);
    const kinds = new Set<LiveKind>(["event"]);
    const wish = { kinds, watches: undefined };
    const client = new LiveClient({ raw, wish, position: resumed.position, clock, allowed: () => true });
    raw.once("close", () => live.left(client));
    raw.writeHead(200, { "content-type": "text/event-stream" });
    live.follow(client, resumed);
  };
  /** Called when the next chunk of changes is read and none of it told. */
  const atEachChunk = (callback: (after: number) => void) => {
    onChunk = callback;
  };
  return { record, connected, join, atEachChunk };
}

const idsOf = (reader: LiveReader) => reader.of<LiveEvent>("event").map(({ event: { id } }) => id);
const named = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `e${from + n}`);

describe("whoever joins while one large commit is told", () => {
  it("is told of every event once, whichever chunk it comes after and wherever it goes on", async () => {
    const { record, connected, join, atEachChunk } = await served();
    await record.write({ events: named(0, 2).map((id) => event(id)), messages: [] });
    const first = await connected();
    join(first.raw);
    const early = await first.reader;
    const begin = early.told[0]?.id ?? "";
    // Three come after each of the chunks: one that has seen all before, one that was away since the second event, and
    // one that is new.
    const comers: Awaited<ReturnType<typeof connected>>[] = [];
    while (comers.length < 30) comers.push(await connected());
    const joined: { reader: Promise<LiveReader>; how: "resumed" | "away" | "new"; after: number }[] = [];
    const away = `1-${record.changes.at(1)}`;
    atEachChunk((after) => {
      const come = () => {
        const [one, two, three] = comers.splice(0, 3);
        if (!one || !two || !three) return;
        join(one.raw, begin);
        join(two.raw, away);
        join(three.raw);
        joined.push({ reader: one.reader, how: "resumed", after });
        joined.push({ reader: two.reader, how: "away", after }, { reader: three.reader, how: "new", after });
      };
      // By turns before the chunk that was read is told, and between that and the next.
      if (joined.length % 6 === 0) come();
      else setImmediate(come);
    });
    await record.write({ events: named(2, COUNT).map((id) => event(id)), messages: [] });
    await early.have("event", COUNT - 2);
    await record.write({ events: [event("last")], messages: [] });
    expect(joined).toHaveLength(30);
    const wanted = {
      resumed: [...named(2, COUNT), "last"],
      away: [...named(1, COUNT), "last"],
      // The commit was whole before it came.
      new: ["last"],
    };
    await early.have("event", COUNT - 1);
    expect(idsOf(early)).toEqual(wanted.resumed);
    for (const { reader, how, after } of joined) {
      const told = await reader;
      await told.have("event", wanted[how].length);
      expect([how, after, idsOf(told)]).toEqual([how, after, wanted[how]]);
    }
    // Nothing comes late either.
    await record.write({ events: [event("after")], messages: [] });
    for (const { reader, how } of joined) {
      const told = await reader;
      await told.have("event", wanted[how].length + 1);
      expect(idsOf(told).at(-1)).toBe("after");
      expect(idsOf(told)).toHaveLength(wanted[how].length + 1);
    }
  });
});
