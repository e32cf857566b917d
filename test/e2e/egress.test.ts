import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { packageRoot } from "../../service/kernel/paths.ts";
import { freePort } from "../support/free-port.ts";
import { MediaFolder } from "../support/media-fixtures.ts";

import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { recordedPeers, recordingInto } from "../support/recorded-connections.ts";
import { until } from "../support/until.ts";

const ENGINE = /\/perch-engine-\d+-\w+\/\d+\.sock$/;

let folder: string;
let media: MediaFolder;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "perch-egress-"));
  media = await MediaFolder.create();
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await media.remove();
});

it("the service and its children try to reach nothing that the configuration does not name, and look up no name", async () => {
  const [http, broker, camera] = [await freePort(), await freePort(), await freePort()];
  const video = await media.risingVideo("line.mp4", 20, { fps: 5, size: "320x180" });
  const trace = join(folder, "trace");
  const config = {
    http: { port: http },
    mqtt: { broker: { kind: "embedded", port: broker } },
    feeds: [
      ...CELL_FEEDS,
      { id: "line", kind: "camera", source: `file:${video}`, loop: true },
      // Nobody answers there: it is tried again and again.
      { id: "door", kind: "camera", source: `rtsp://127.0.0.1:${camera}/door` },
    ],
    watches: [SCENE_WATCH, SOUND_WATCH],
  };
  const perch = new PerchProcess(config, recordingInto(trace));
  try {
    perch.start("--report", "report.json");
    const url = `http://127.0.0.1:${http}`;
    const says = (text: string) => () => perch.log.some((line) => line.includes(text));
    await until(says("the model answers"));
    await until(says("door is offline"));
    await until(says("line is live"));
    await login(url, perch.data);
    const authorization = `Bearer ${readFileSync(join(perch.data, "admin.token"), "utf8").trim()}`;
    const chat = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({
        model: "perch",
        max_tokens: 4,
        messages: [{ role: "user", content: "Hello." }],
      }),
    });
    expect(chat.status).toBe(200);
    await until(says("person-present"));
    const file = join(perch.folder, "perch.json");
    expect(await doctor(file)).toEqual([
      0,
      expect.stringContaining(`nothing is open that ${file} does not name`),
    ]);
    const other = join(perch.folder, "other.json");
    const whole = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(
      other,
      JSON.stringify({ ...whole, mqtt: { broker: { kind: "external", url: "mqtt://192.0.2.7" } } }),
    );
    expect(await doctor(other)).toEqual([
      1,
      expect.stringMatching(/✗ tcp +127.0.0.1:\d+ listens .*not named in/),
    ]);
    const { pid } = perch;
    expect(await perch.end()).toBe(0);
    expect(perch.report("report.json").observations).toBeGreaterThan(0);

    const reached = [...(await recordedPeers(trace, pid))];
    expect(reached.filter((peer) => !ENGINE.test(peer)).sort()).toEqual(
      [`127.0.0.1:${broker}`, `127.0.0.1:${camera}`].sort(),
    );
    expect(reached.filter((peer) => ENGINE.test(peer))).toHaveLength(1);
  } finally {
    await perch.dispose();
  }
});

it("a program that does try is caught, and so are its children and its lookups", async () => {
  const trace = join(folder, "trace");
  // Networks that stand for examples in documents, and a name that never exists.
  const child = `const s = require("node:dgram").createSocket("udp4"); s.send("x", 9, "198.51.100.1", () => s.close())`;
  const program = `
    require("node:net").connect(443, "192.0.2.1").on("error", () => undefined).unref();
    require("node:net").connect(444, "2001:db8::1").on("error", () => undefined).unref();
    require("node:child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(child)}]);
    require("node:dns").lookup("perch.invalid", () => process.exit(0));`;
  const [strace = "", ...words] = recordingInto(trace);
  const caught = spawn(strace, [...words, process.execPath, "-e", program], { stdio: "ignore" });
  expect(await new Promise((resolve) => caught.on("close", resolve))).toBe(0);

  const reached = [...(await recordedPeers(trace, caught.pid ?? 0))];
  expect(reached).toEqual(expect.arrayContaining(["192.0.2.1:443", "[2001:db8::1]:444", "198.51.100.1:9"]));
  // A name server, or a resolver on the box: where this machine sends names.
  expect(reached.filter((peer) => /:53$|resolve|nscd|avahi/.test(peer)).length).toBeGreaterThan(0);
});

/** `perch doctor --egress`: its exit code and what it printed. */
function doctor(config: string): Promise<[number, string]> {
  const main = join(packageRoot, "dist/service/main.js");
  return new Promise((resolve) =>
    execFile(process.execPath, [main, "doctor", "--egress", "--config", config], (error, out) =>
      resolve([Number(error?.code ?? 0), out]),
    ),
  );
}

/** Makes an administrator and logs in. */
async function login(url: string, data: string): Promise<void> {
  const person = { name: "anna", password: "correct horse battery" };
  const headers = { "content-type": "application/json" };
  const admin = readFileSync(join(data, "admin.token"), "utf8").trim();
  const put = async (path: string, body: object, more: Record<string, string> = {}) =>
    (
      await fetch(`${url}${path}`, {
        method: "POST",
        headers: { ...headers, ...more },
        body: JSON.stringify(body),
      })
    ).status;
  expect(
    await put("/api/accounts", { ...person, role: "admin" }, { authorization: `Bearer ${admin}` }),
  ).toBeLessThan(300);
  expect(await put("/api/session", person)).toBe(200);
}
