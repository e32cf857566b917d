import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../service/kernel/paths.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

let perch: PerchProcess;
afterEach(() => perch.dispose());

const CELL = { feeds: CELL_FEEDS.slice(0, 1), watches: [SCENE_WATCH] };

const logged = (pattern: RegExp) => until(() => perch.log.some((line) => pattern.test(line)));
const published = () => perch.log.filter((line) => line.includes('"event":')).length;

/** A models.yaml beside copies of the shipped files, to spoil them. */
function copiedModels(): string {
  const folder = join(perch.folder, "models");
  mkdirSync(folder);
  const weights = join(packageRoot, "device/simulator/model/weights");
  for (const file of ["small-Q8_0.gguf", "mmproj-small-Q8_0.gguf"])
    copyFileSync(join(weights, file), join(folder, file));
  const shipped = readFileSync(join(packageRoot, "config/models.yaml"), "utf8");
  const models = join(folder, "models.yaml");
  writeFileSync(models, shipped.replace("../device/simulator/model/weights", folder));
  return models;
}

describe("one thing is wrong", () => {
  it("an unknown key and a wrong value: exit 1 with file, line, key and what is allowed, all at once", async () => {
    perch = new PerchProcess({ ...CELL, colour: "red", log: "loud" });
    perch.start();
    expect(await perch.ended()).toBe(1);
    expect(perch.log.join("\n")).toMatch(/perch\.json:\d+:.*colour.*unknown key/);
    expect(perch.log.join("\n")).toMatch(/perch\.json:\d+:.*log = "loud".*trace, debug, info, warn, error/);
  });

  it("a truncated model: the engine says which file and what to do, and it goes on once the file is right", async () => {
    perch = new PerchProcess(CELL);
    const models = copiedModels();
    const text = join(perch.folder, "models", "small-Q8_0.gguf");
    truncateSync(text, 1_000_000);
    perch.configure({ ...CELL, models });
    perch.start();
    await logged(/small-Q8_0\.gguf.*1000000|small-Q8_0\.gguf.*1,000,000/);
    await logged(/health +http/);
    const { status, parts } = await perch.health();
    expect(status).toBe("not ready");
    expect(parts.engine?.state).toBe("degraded");
    expect(parts.record?.state).toBe("ok");
    expect(parts.delivery?.state).toBe("ok");
    copyFileSync(join(packageRoot, "device/simulator/model/weights/small-Q8_0.gguf"), text);
    await until(() => published() > 0);
    expect(await perch.end()).toBe(0);
  });

  it("the text model in place of the mmproj: said in words", async () => {
    perch = new PerchProcess(CELL);
    const models = copiedModels();
    const [text, mmproj] = ["small-Q8_0.gguf", "mmproj-small-Q8_0.gguf"].map((file) =>
      join(perch.folder, "models", file),
    );
    copyFileSync(text as string, mmproj as string);
    perch.configure({ ...CELL, models });
    perch.start();
    await logged(/mmproj-small-Q8_0\.gguf/);
    await logged(/health +http/);
    expect((await perch.health()).parts.engine?.state).toBe("degraded");
    expect(await perch.end()).toBe(0);
  });

  it("a broker that refuses the password: said without the password; answers are kept and go out once it is right", async () => {
    const broker = await Mosquitto.start({ users: { box: "right" } });
    try {
      const external = (password: string) => ({
        ...CELL,
        mqtt: { broker: { kind: "external", url: broker.url, user: "box", password } },
      });
      perch = new PerchProcess(external("wrong-horse"));
      perch.start();
      await logged(/refused|refuses/);
      await until(() => published() > 0);
      const { parts } = await perch.health();
      expect(parts.delivery?.state).toBe("degraded");
      expect(parts.engine?.state).toBe("ok");
      expect(await perch.end()).toBe(0);
      expect(perch.log.join("\n")).not.toContain("wrong-horse");
      perch.configure(external("right"));
      perch.start("--for", "3s", "--report", "out.json");
      await perch.ended();
      const report = perch.report("out.json");
      expect(report.acknowledged).toBeGreaterThan(report.observations + report.events);
    } finally {
      await broker.dispose();
    }
  });

  it("ports that are taken: the broker takes the next, health says what to do, and watching goes on", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    try {
      perch = new PerchProcess({ ...CELL, http: { port }, mqtt: { broker: { kind: "embedded", port } } });
      perch.start("--for", "4s", "--report", "out.json");
      expect(await perch.ended()).toBe(0);
      expect(perch.log.join("\n")).toMatch(new RegExp(`cannot listen on 127.0.0.1:${port}.*http.port`));
      const report = perch.report("out.json");
      expect(report.observations).toBeGreaterThan(0);
      expect(report.acknowledged).toBe(report.observations + report.events);
    } finally {
      server.close();
    }
  });

  it("a second service on the same data folder: exit 1, and it names the first", async () => {
    perch = new PerchProcess(CELL);
    perch.start();
    await logged(/health +http/);
    const second = spawnSync(
      process.execPath,
      [join(packageRoot, "dist/service/main.js"), "run", "--config", join(perch.folder, "perch.json")],
      { encoding: "utf8", timeout: 20_000 },
    );
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(String(perch.pid));
    expect(await perch.end()).toBe(0);
  });

  it("cameras that never answer or are not there: only they are offline, each with a reason", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" && address ? address.port : 0;
    try {
      const dead = [
        { id: "silent", kind: "camera", source: `rtsp://127.0.0.1:${port}/cam` },
        { id: "unplugged", kind: "camera", source: "v4l2:/dev/video99" },
        { id: "gone", kind: "microphone", source: "file:/nowhere/sound.wav" },
      ];
      perch = new PerchProcess({ ...CELL, feeds: [...CELL.feeds, ...dead] });
      perch.start();
      await logged(/silent is (offline|stalled)/);
      await logged(/unplugged is offline: .*video99/);
      await logged(/gone is offline: .*sound\.wav/);
      await until(() => published() > 0);
      expect((await perch.health()).status).toBe("ready");
      expect(await perch.end()).toBe(0);
    } finally {
      silent.close();
    }
  });
});
