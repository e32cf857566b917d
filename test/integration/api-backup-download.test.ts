import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Served } from "../support/access-served.ts";
import { until } from "../support/until.ts";

/** More than sockets hold by themselves. */
const LARGE = 16_000_000;
const ID = "20261103T080000000Z";

/** A service with one backup of so many bytes; that those are no database is nothing to a download. */
async function served(bytes = 100_000) {
  const service = await Served.start();
  const admin = await service.adminToken();
  const folder = join(service.data, "backups");
  mkdirSync(folder);
  const path = join(folder, `${ID}.db`);
  const file = randomBytes(bytes);
  writeFileSync(path, file);
  const sha256 = createHash("sha256").update(file).digest("hex");
  writeFileSync(
    join(folder, `${ID}.json`),
    JSON.stringify({ id: ID, at: "2026-11-03T08:00:00.000Z", bytes, sha256 }),
  );
  const url = `${service.url}/api/backups/${ID}`;
  const headersOf = (more: Record<string, string>) => ({ authorization: `Bearer ${admin}`, ...more });
  const get = async (more: Record<string, string> = {}, method = "GET") => {
    const response = await fetch(url, { method, headers: headersOf(more) });
    const { status, headers } = response;
    return { status, headers, body: Buffer.from(await response.arrayBuffer()) };
  };
  /** Headers first; its body is read when the test says so. */
  const begin = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { headers: headersOf({}), agent: false })
        .on("response", resolve)
        .on("error", reject)
        .end();
    });
  const of = { bytes, etag: `"${sha256}"`, sha256, path, file };
  return { service, admin, url, ...of, get, begin };
}

describe("the download of a backup", () => {
  it("gives the part that is asked for, which makes a whole with what was there", async () => {
    const { get, bytes, etag, file, service } = await served();
    const half = Math.floor(bytes / 2);
    const first = await get({ range: `bytes=0-${half - 1}` });
    const rest = await get({ range: `bytes=${half}-`, "if-range": etag });
    expect([first.status, rest.status]).toEqual([206, 206]);
    expect(Buffer.concat([first.body, rest.body]).equals(file)).toBe(true);
    expect(rest.headers.get("content-range")).toBe(`bytes ${half}-${bytes - 1}/${bytes}`);
    expect(rest.headers.get("content-length")).toBe(String(bytes - half));
    expect(rest.headers.get("etag")).toBe(etag);
    const end = await get({ range: "bytes=-7" });
    expect([end.status, end.body.equals(file.subarray(bytes - 7))]).toEqual([206, true]);
    // What is taken away is on record, each time.
    const noted = () => service.record.queries.audit().map(({ what }) => what);
    await until(() => noted().filter((what) => what.startsWith("take away")).length === 3);
    expect(noted()[0]).toMatch(/^take away the backup \d+T\d+Z \(bytes=-7\)$/);
  });

  it("gives all of it where the part is of another file, or is none that is known", async () => {
    const { get, etag, file } = await served();
    for (const headers of [
      { range: "bytes=5-", "if-range": '"another"' },
      { range: "bytes=5-", "if-range": `W/${etag}` },
      { range: "bytes=0-1,5-6" },
      { range: "lines=1-2" },
    ]) {
      const { status, body, headers: told } = await get(headers);
      expect([status, told.get("content-range"), told.get("accept-ranges")]).toEqual([200, null, "bytes"]);
      expect(body.equals(file)).toBe(true);
    }
  });

  it("is refused for bytes that the file has not, and says how many it has", async () => {
    const { get, bytes } = await served();
    for (const range of [`bytes=${bytes}-`, "bytes=-0"]) {
      const { status, headers, body } = await get({ range });
      expect([status, headers.get("content-range")]).toEqual([416, `bytes */${bytes}`]);
      expect(JSON.parse(body.toString())).toMatchObject({
        code: "range_invalid",
        error: expect.stringContaining(`the file has ${bytes} bytes`),
      });
    }
  });

  it("goes by the etag that the client has: 304 and 412", async () => {
    const { get, etag } = await served();
    expect(await get({ "if-none-match": etag })).toMatchObject({ status: 304 });
    expect(await get({ "if-match": '"another"' })).toMatchObject({ status: 412 });
    expect(await get({ "if-match": etag, range: "bytes=0-0" })).toMatchObject({ status: 206 });
  });

  it("can be asked for by HEAD, which takes nothing away", async () => {
    const { get, bytes, etag, service, admin, url } = await served();
    const { status: answered, headers, body } = await get({ range: "bytes=5-" }, "HEAD");
    expect([answered, body.length, headers.get("content-length")]).toEqual([200, 0, String(bytes)]);
    expect([headers.get("etag"), headers.get("accept-ranges")]).toEqual([etag, "bytes"]);
    expect(headers.get("repr-digest")).toMatch(/^sha-256=:/);
    expect((await get({ "if-none-match": etag }, "HEAD")).status).toBe(304);
    const status = async (address: string, token: string) => {
      const sent = { method: "HEAD", headers: { authorization: `Bearer ${token}` } };
      return (await fetch(address, sent)).status;
    };
    expect(await status(`${url}0`, admin)).toBe(404);
    expect(await status(url, service.token({ role: "operator" }))).toBe(403);
    expect(service.record.queries.audit().filter(({ what }) => what.startsWith("take away"))).toEqual([]);
  });

  it("ends whole though the backup is removed meanwhile; only then it is not found", async () => {
    const { begin, get, service, admin, sha256, path } = await served(LARGE);
    const response = await begin();
    expect(response.statusCode).toBe(200);
    expect((await service.ask(`/api/backups/${ID}`, admin, { method: "DELETE" })).status).toBe(204);
    expect(() => readFileSync(path)).toThrow(/ENOENT/);
    const hash = createHash("sha256");
    for await (const piece of response) hash.update(piece as Buffer);
    expect(hash.digest("hex")).toBe(sha256);
    expect((await get({ range: "bytes=5-" })).status).toBe(404);
  });

  it("is cut off where the file falls short, so that nobody takes it for whole", async () => {
    const { begin, bytes, path, get } = await served(LARGE);
    const response = await begin();
    truncateSync(path, Math.floor(bytes / 2));
    const read = async () => {
      for await (const piece of response) void piece;
    };
    await expect(read()).rejects.toThrow(/aborted/);
    // What somebody did to the file is no backup any more.
    expect((await get()).status).toBe(404);
  });

  it("waits for who reads slowly, and lets go of the file of who leaves", async () => {
    const { begin, service, path } = await served(LARGE);
    const slow = await begin();
    const open = () => openBy(path);
    await until(() => open() === 1);
    slow.destroy();
    await until(() => open() === 0);
    const deaf = await begin();
    deaf.on("error", () => undefined);
    await until(() => open() === 1);
    // Who reads nothing for half a minute is given up.
    await until(() => {
      service.clock.advance(30_000);
      return open() === 0;
    });
  });
});

/** How many descriptors of this process are of a file. */
function openBy(path: string): number {
  return readdirSync("/proc/self/fd").filter((name) => linkOf(`/proc/self/fd/${name}`) === path).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed between the listing and the look.
    return "";
  }
}
