import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Value } from "typebox/value";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GovernorState, GovernorView } from "../../service/contract/governor.ts";
import type { Observation } from "../../service/contract/observation.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { freePort } from "../support/free-port.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

let broker: Mosquitto;
let subscriber: Subscriber;
let perch: PerchProcess;
let port: number;

beforeEach(async () => {
  broker = await Mosquitto.start();
  subscriber = await Subscriber.connect(broker.url, "perch/#");
  port = await freePort();
  perch = new PerchProcess({});
});

afterEach(async () => {
  await perch.dispose();
  await subscriber.end();
  await broker.dispose();
});

function configure(other: Record<string, unknown> = {}, mqtt: Record<string, unknown> = {}): void {
  perch.configure({
    http: { port },
    mqtt: { broker: { kind: "external", url: broker.url }, ...mqtt },
    feeds: CELL_FEEDS,
    watches: [SCENE_WATCH, SOUND_WATCH],
    ...other,
  });
}

const levels = () =>
  subscriber
    .on(/\/observation\//)
    .map(({ payload }) => (JSON.parse(payload) as Observation).provenance.level);
const states = () => subscriber.on(/\/governor$/).map(({ payload }) => JSON.parse(payload) as GovernorState);

/** `perch governor …` as a person types it. */
async function governor(...words: string[]): Promise<{ code: number; text: string }> {
  const args = [join(packageRoot, "dist/service/main.js"), "governor", ...words];
  const config = ["--config", join(perch.folder, "perch.json")];
  return promisify(execFile)(process.execPath, [...args, ...config], { cwd: perch.folder }).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
  );
}

const view = async () =>
  (await (await fetch(`http://127.0.0.1:${port}/api/governor`)).json()) as GovernorView;

describe("the governor of a running service", () => {
  it("runs another level when it is told to, stamps answers with it, and says that the box is simulated", async () => {
    configure();
    perch.start();
    await until(() => levels().includes("q8_0"));
    expect(await governor("set", "q4_k_m", "--for", "5m")).toMatchObject({ code: 0 });
    await until(() => levels().includes("q4_k_m"));

    const shown = await view();
    expect(Value.Check(GovernorView, shown)).toBe(true);
    expect(shown).toMatchObject({ mode: "manual", running: "q4_k_m", ladder: "perch-small" });
    expect(shown.readings.simulated).toBe(true);
    expect(shown.readings.zones.every(({ id }) => id.startsWith("simulated "))).toBe(true);
    expect((await governor("show")).text).toMatch(/▸ q4_k_m/);
    expect((await governor("show")).text).toContain("simulated: no temperature can be measured here");
    await until(() => states().some(({ running }) => running === "q4_k_m"));
    expect(states().every((state) => Value.Check(GovernorState, state))).toBe(true);
    expect((await governor("history")).text).toMatch(/q4_k_m.*\(simulated\).*set by hand/);

    expect((await governor("auto")).text).toContain("The governor decides");
    expect((await view()).mode).toBe("auto");
    expect(await perch.end()).toBe(0);
    const stamped = JSON.parse(subscriber.on(/\/observation\//).at(-1)?.payload ?? "") as Observation;
    expect(stamped.provenance).toMatchObject({ simulated: true, hottest: expect.any(Number) });
  });

  it("refuses what it cannot do in words, and anybody without the token", async () => {
    configure();
    perch.start();
    await until(() => levels().length > 0);
    expect(await governor("set", "q5")).toMatchObject({
      code: 1,
      text: expect.stringMatching(/no level "q5".*q8_0, q6_k/),
    });
    expect(await governor("set")).toMatchObject({ code: 2, text: expect.stringContaining("set what?") });
    const post = (headers: Record<string, string>, body = '{"mode":"frozen"}') =>
      fetch(`http://127.0.0.1:${port}/api/governor`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      });
    expect((await post({})).status).toBe(401);
    expect((await post({ authorization: "Bearer no" })).status).toBe(401);
    const authorization = `Bearer ${readFileSync(join(perch.data, "admin.token"), "utf8").trim()}`;
    const refused = await post({ authorization }, '{"mode":"quick"}');
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining("mode") });
    expect((await post({ authorization })).status).toBe(200);
    expect((await view()).mode).toBe("frozen");
    expect(perch.log.join("\n")).not.toContain(authorization.slice(7));
  });

  it("obeys MQTT only where the configuration says so, and no retained command", async () => {
    configure({}, { commands: true });
    await subscriber.publish("perch/cell/governor/set", '{"mode":"manual","pace":0.9}', { retain: true });
    perch.start();
    await until(() => states().length > 0);
    await subscriber.publish("perch/cell/governor/set", '{"mode":"quick"}');
    await until(() => states().some(({ refused }) => refused?.why.includes("mode") ?? false));
    expect(states().every(({ mode }) => mode === "auto")).toBe(true);
    await subscriber.publish("perch/cell/governor/set", '{"mode":"manual","pace":0.5,"for":"1m"}');
    await until(() => states().some(({ mode, pace }) => mode === "manual" && pace === 0.5));
    expect(await perch.end()).toBe(0);

    configure();
    const before = states().length;
    perch.start();
    await until(() => states().length > before);
    await subscriber.publish("perch/cell/governor/set", '{"mode":"frozen"}');
    await until(() => levels().length > 0);
    expect((await view()).mode).toBe("auto");
  });

  it("takes the next level where the best one's file is wrong, and the best one when it is right", async () => {
    const folder = join(perch.folder, "models");
    const weights = join(packageRoot, "device/simulator/model/weights");
    mkdirSync(folder);
    for (const file of ["small-Q6_K.gguf", "mmproj-small-Q8_0.gguf"])
      copyFileSync(join(weights, file), join(folder, file));
    // As long as it should be, and yet another file.
    const right = readFileSync(join(weights, "small-Q8_0.gguf"));
    const wrong = Buffer.from(right);
    wrong.fill(0, right.length - 1000);
    writeFileSync(join(folder, "small-Q8_0.gguf"), wrong);
    const shipped = readFileSync(join(packageRoot, "config/models.yaml"), "utf8");
    const models = join(folder, "models.yaml");
    writeFileSync(models, shipped.replace("../device/simulator/model/weights", folder));
    configure({ models, governor: { dwell: "1s", headroom: "1s" } });
    perch.start();
    await until(() => levels().includes("q6_k"));
    const { rungs } = await view();
    expect(rungs[0]).toMatchObject({ level: "q8_0", fits: false, reason: expect.stringContaining("sha256") });
    expect(rungs[2]).toMatchObject({ fits: false, reason: expect.stringContaining("there is no file") });
    writeFileSync(join(folder, "small-Q8_0.gguf"), right);
    await until(() => levels().includes("q8_0"));
    expect(await perch.end()).toBe(0);
  });

  it("asks about pictures no more often than the level that runs allows, and about every sound", async () => {
    const weights = join(packageRoot, "device/simulator/model/weights");
    const shipped = readFileSync(join(packageRoot, "config/models.yaml"), "utf8");
    const models = join(perch.folder, "models.yaml");
    writeFileSync(
      models,
      shipped
        .replace("../device/simulator/model/weights", weights)
        .replaceAll("kv: f16", "kv: f16\n        interval: 2s"),
    );
    configure({ models });
    perch.start("--for", "14s", "--report", "out.json");
    expect(await perch.ended()).toBe(0);
    const scenes = subscriber
      .on(/\/observation\/scene$/)
      .map(({ payload }) => Date.parse((JSON.parse(payload) as Observation).captured));
    expect(scenes.length).toBeGreaterThan(2);
    for (const [index, at] of scenes.entries())
      if (index > 0) expect(at - (scenes[index - 1] ?? 0)).toBeGreaterThan(1500);
    expect(perch.report("out.json").drops.level_interval).toBeGreaterThan(0);
  });
});
