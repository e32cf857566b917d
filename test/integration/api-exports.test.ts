import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { Served } from "../support/access-served.ts";
import { heldBytes } from "../support/leaks.ts";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { until } from "../support/until.ts";

async function exporting(count: number, note = "a blue crate") {
  const served = await Served.start();
  const written = Array.from({ length: count }, (_, n) =>
    served.record.write({
      ...entry(observation(`o${n}`, { answer: { note, n } }, THEN + n), event(`e${n}`, {}, THEN + n)),
      messages: [],
    }),
  );
  await Promise.all(written);
  const token = served.token({ role: "viewer" });
  return { served, token };
}

/** Begins an export and reads no more than its head. */
async function begun(served: Served, token: string, path: string) {
  const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  const [head] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  return { socket, head: head.toString() };
}

describe("an export", () => {
  it("has all that was found, oldest first, as CSV for spreadsheets", async () => {
    const { served, token } = await exporting(250);
    const { status, headers, body } = await served.ask("/api/events/export?q=door", token);
    const stamp = new Date(served.clock.now()).toISOString().replace(/[-:]|\.\d+/g, "");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/csv/);
    expect(headers.get("content-disposition")).toBe(`attachment; filename="perch-box-events-${stamp}.csv"`);
    const lines = String(body).split("\r\n");
    expect(lines).toHaveLength(252);
    expect(lines[0]).toMatch(/^id,node,watch,rule,title,severity,phase,started,/);
    expect(lines[1]).toBe(
      'e0,test-node,door,blocked,The door is blocked,warning,start,2025-06-15T15:06:40.000Z,2025-06-15T15:06:40.000Z,,,,,,,"{""person"":true}"',
    );
    expect(lines[250]).toMatch(/^e249,/);
  });

  it("is one JSON object a line for programs, with the same filters", async () => {
    const { served, token } = await exporting(120);
    const since = new Date(THEN + 100).toISOString();
    const path = `/api/observations/export?format=ndjson&order=desc&watch=door&since=${since}`;
    const { headers, body } = await served.ask(path, token);
    expect(headers.get("content-type")).toBe("application/x-ndjson");
    const rows = String(body)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string });
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => `o${119 - n}`));
    expect(rows[0]).toEqual(served.record.queries.observations({ limit: 1 })[0]);
    const { body: csv } = await served.ask("/api/observations/export?watch=none", token);
    expect(String(csv).split("\r\n")).toHaveLength(2);
    expect((await served.ask("/api/observations/export?format=xlsx", token)).status).toBe(400);
  });

  it("waits for who reads slowly, in little memory, and gives up who reads nothing", async () => {
    const { served, token } = await exporting(1_500, "x".repeat(20_000));
    const before = heldBytes();
    const path = "/api/observations/export?format=ndjson";
    const running = await Promise.all(Array.from({ length: 4 }, () => begun(served, token, path)));
    expect(running.map(({ head }) => head.split(" ")[1])).toEqual(["200", "200", "200", "200"]);
    // A fifth has to wait until one of them is over.
    const fifth = await served.ask(path, token);
    expect([fifth.status, fifth.headers.get("retry-after")]).toEqual([429, "10"]);
    // What is written meanwhile is held up by none of them.
    await served.record.write(entry(undefined, event("late")));
    const [slow, ...deaf] = running;
    let bytes = 0;
    slow?.socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    slow?.socket.resume();
    await until(() => bytes > 1_500 * 20_000);
    // Three that read nothing hold a chunk each, of 30 MB.
    expect((heldBytes() - before) / 1e6).toBeLessThan(40);
    const closed = deaf.map(({ socket }) => once(socket, "close"));
    served.clock.advance(30_000);
    for (const { socket } of deaf) socket.on("error", () => undefined).resume();
    await Promise.all(closed);
    await until(async () => (await served.ask(path, token)).status === 200);
  });
});
