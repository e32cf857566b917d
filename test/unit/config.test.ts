import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../service/config/config.ts";
import type { Config } from "../../service/contract/config.ts";
import { ConfigError } from "../../service/kernel/config-file.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const folder = mkdtempSync(join(tmpdir(), "perch-config-"));
const file = join(folder, "perch.yaml");
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  delete process.env.MQTT_PASSWORD;
});

const CAMERA = '{ id: door, kind: camera, source: "v4l2:/dev/video0" }';
const MICROPHONE = '{ id: desk, kind: microphone, source: "alsa:hw:1,0" }';

/** A configuration of feeds and watches in flow style, each on a line of its own from line 3 on. */
function load({ feeds = [CAMERA, MICROPHONE], watches = [], more = "" }: Parts): Config {
  const list = (items: readonly string[]) => items.map((item) => `\n  - ${item}`).join("") || " []";
  writeFileSync(file, `node: here\nfeeds:${list(feeds)}\nwatches:${list(watches)}\n${more}`);
  return loadConfig(file);
}

interface Parts {
  readonly feeds?: readonly string[];
  readonly watches?: readonly string[];
  readonly more?: string;
}

function errors(parts: Parts): string[] {
  try {
    load(parts);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((line) => line.replace(file, "F"));
    throw error;
  }
  return [];
}

const watch = (keys: string) =>
  `{ id: look, question: What?, answer: { seen: { type: boolean }, count: { type: integer } }, ${keys} }`;
const feed = (keys: string, kind = "camera") => `{ id: a, kind: ${kind}, ${keys} }`;

describe("the configurations that come with Perch", () => {
  const examples = readdirSync(join(packageRoot, "config/examples"))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `examples/${name}`);

  it.each(["perch.yaml", ...examples])("%s is right once its secrets are there", (name) => {
    process.env.MQTT_PASSWORD = "secret";
    writeFileSync(join(folder, "secret"), "secret\n");
    const text = readFileSync(join(packageRoot, "config", name), "utf8");
    writeFileSync(file, text.replace(/\$\{file:[^}]+\}/g, `\${file:${join(folder, "secret")}}`));
    expect(loadConfig(file).feeds.length).toBeGreaterThan(0);
  });

  it("say which secret is missing", () => {
    const kiosk = join(packageRoot, "config/examples/clinic-kiosk.yaml");
    expect(() => loadConfig(kiosk)).toThrow(/clinic-kiosk.yaml:16: mqtt.broker.password = .*MQTT_PASSWORD/);
  });
});

describe("a configuration that is loaded", () => {
  it("has times in ms, sizes in bytes and defaults at every depth", () => {
    const config = load({ feeds: [CAMERA, MICROPHONE], watches: [watch("feeds: [door]")] });
    expect(config.record).toEqual({
      thumbnail: 24_000,
      age: 30 * 86_400_000,
      bytes: 2e9,
      backups: { every: 86_400_000, keep: 7 },
    });
    expect(config.mqtt.broker).toEqual({ kind: "embedded", host: "127.0.0.1", port: 1883 });
    expect(config.feeds[0]?.gate).toEqual({
      kind: "motion",
      threshold: 18,
      area: 0.004,
      masks: [],
      interval: 1000,
      heartbeat: 30_000,
    });
    expect(config.feeds[1]?.gate).toMatchObject({ kind: "voice", preroll: 200, maximum: 15_000 });
    expect(config.watches[0]).toMatchObject({ rules: [], lane: "watch", deadline: 10_000, enabled: true });
  });

  it("has paths relative to the working directory", () => {
    const config = load({ more: "data: d\nmodels: m.yaml\n" });
    expect([config.data, config.models]).toEqual([join(process.cwd(), "d"), join(process.cwd(), "m.yaml")]);
  });

  it("keeps the answer's fields in the order in which they are written", () => {
    const fields = "{ z: { type: boolean }, a: { type: boolean }, m: { type: boolean } }";
    const { watches } = load({
      watches: [`{ id: w, question: q, feeds: [door], answer: ${fields} }`],
    });
    expect(Object.keys(watches[0]?.answer ?? {})).toEqual(["z", "a", "m"]);
  });
});

describe("what no schema can say", () => {
  it("backups are made hourly at most, or never", () => {
    const every = (text: string) => errors({ more: `record: { backups: { every: ${text} } }\n` });
    for (const right of ["0s", "1h", "60m", "7d"]) expect([right, every(right)]).toEqual([right, []]);
    for (const wrong of ["59m", "1s"])
      expect(every(wrong)).toEqual([
        expect.stringMatching(/record\.backups\.every = .*must be 1h or longer, or 0s for no backups$/),
      ]);
  });

  it("feeds of watches have to exist, and ids to be unique", () => {
    expect(
      errors({
        feeds: [CAMERA, MICROPHONE, CAMERA],
        watches: [watch("feeds: [dor]"), watch("feeds: [door]"), watch("feeds: [door, nobody]")],
      }),
    ).toEqual([
      'F:5: feeds[2].id = "door": this id is used above; ids must be unique',
      'F:7: watches[0].feeds[0] = "dor": there is no such feed; feeds: door, desk',
      'F:8: watches[1].id = "look": this id is used above; ids must be unique',
      'F:9: watches[2].id = "look": this id is used above; ids must be unique',
      'F:9: watches[2].feeds[1] = "nobody": there is no such feed; feeds: door, desk',
    ]);
  });

  it("rules have ids of their own within a watch, and may share them between watches", () => {
    const rules = (...ids: string[]) => `rules: [${ids.map((id) => `{ id: ${id}, when: seen }`).join(", ")}]`;
    const second = watch(`feeds: [door], ${rules("a")}`).replace("look", "other");
    expect(errors({ watches: [watch(`feeds: [door], ${rules("a", "b")}`), second] })).toEqual([]);
    expect(errors({ watches: [watch(`feeds: [door], ${rules("a", "a")}`)] })).toEqual([
      'F:6: watches[0].rules[1].id = "a": this id is used above; ids must be unique',
    ]);
  });

  it("a watch joins a camera and a microphone, not two of a kind", () => {
    const second = CAMERA.replace("door", "gate");
    expect(errors({ watches: [watch("feeds: [door, desk]")] })).toEqual([]);
    expect(errors({ feeds: [CAMERA, second], watches: [watch("feeds: [door, gate]")] })).toEqual([
      "F:6: watches[0].feeds: a watch joins one camera and one microphone, not two cameras",
    ]);
  });

  describe("a watch over several frames", () => {
    const slow = CAMERA.replace("}", ", fps: 3 }");
    const told = (keys: string, feeds = [slow, MICROPHONE], more = "") =>
      errors({ feeds, watches: [watch(keys)], more }).map((line) => line.slice("F:6: watches[0].".length));

    it("is of a camera whose rate allows its spacing", () => {
      expect(load({ watches: [watch("feeds: [door]")] }).watches[0]).toMatchObject({
        frames: 1,
        spacing: 500,
      });
      expect(told("feeds: [door], frames: 2")).toEqual([]);
      expect(told("feeds: [door, desk], frames: 4, spacing: 334ms")).toEqual([]);
      expect(told("feeds: [door], frames: 2, spacing: 333ms")).toEqual([
        'spacing = "333ms": the camera door has fps: 3, so it must be 334ms or more, unless that is raised',
      ]);
      const once = CAMERA.replace("}", ", fps: 1 }");
      expect(told("feeds: [door], frames: 2", [once])[0]).toMatch(/spacing: the camera door has fps: 1/);
      expect(told("feeds: [door]", [once])).toEqual([]);
      expect(told("feeds: [desk], frames: 2")).toEqual([
        "frames = 2: must be 1: only of a camera there are pictures",
      ]);
      expect(told("feeds: [dor], frames: 2")).toHaveLength(1);
    });

    it("has so many of them, and so far apart, as can be asked about", () => {
      expect(told("feeds: [door], frames: 0")).toHaveLength(1);
      expect(told("feeds: [door], frames: 5")).toHaveLength(1);
      for (const spacing of ["49ms", "11s"])
        expect(told(`feeds: [door], spacing: ${spacing}`)).toEqual([
          `spacing = "${spacing}": must be from 50ms to 10s`,
        ]);
    });

    it("does not ask for more pictures than the level's context holds", () => {
      const models = join(folder, "models.yaml");
      const shipped = readFileSync(join(packageRoot, "config/models.yaml"), "utf8");
      writeFileSync(models, shipped.replace(/grids: \[.*\]/g, "grids: [5x5, 16x20]"));
      const of = (frames: number) =>
        told(`feeds: [door], frames: ${frames}`, [slow, MICROPHONE], `models: ${models}\n`);
      expect(of(3)).toEqual([]);
      expect(of(4)).toEqual([
        "frames = 4: 4 pictures of 320 tokens do not fit into the 1024 tokens that the level q8_0 holds",
      ]);
      writeFileSync(models, "what the engine complains of when it starts");
      expect(of(4)).toEqual([]);
    });
  });

  it("conditions are told in CEL's words what is wrong with them", () => {
    const rules = ['"sen"', '"count"', '"count > "', "count == seen", "count > 1.0 || seen"];
    const written = rules.map((when, n) => `{ id: r${n}, when: ${when} }`).join(", ");
    expect(errors({ watches: [watch(`feeds: [door], rules: [${written}]`)] })).toEqual([
      'F:6: watches[0].rules[0].when = "sen": Unknown variable: sen',
      'F:6: watches[0].rules[1].when = "count": must be true or false, but is of type int',
      'F:6: watches[0].rules[2].when = "count > ": Unexpected token: EOF',
      'F:6: watches[0].rules[3].when = "count == seen": no such overload: int == bool',
    ]);
  });

  it("fields of answers are not called by CEL's own words", () => {
    const fields = ["in", "true", "size", "type", "for", "constructor"].map(
      (name) => `${name}: { type: boolean }`,
    );
    const text = `{ id: w, question: q, feeds: [door], answer: { ${fields.join(", ")} } }`;
    expect(errors({ watches: [text] }).map((line) => line.split(":")[2])).toEqual([
      " watches[0].answer.in",
      " watches[0].answer.true",
      " watches[0].answer.type",
      " watches[0].answer.for",
    ]);
  });

  it("a field's minimum is not above its maximum", () => {
    const text =
      "{ id: w, question: q, feeds: [door], answer: { n: { type: integer, minimum: 5, maximum: 4 } } }";
    expect(errors({ watches: [text] })).toEqual(["F:6: watches[0].answer.n: minimum is above maximum"]);
  });

  it("simulated sources are such as there are", () => {
    expect(errors({ feeds: [feed("source: 'sim:cell?seed=3'")] })).toEqual([]);
    expect(errors({ feeds: [feed("source: 'sim:sea'")] })[0]).toMatch(
      /^F:3: feeds\[0\]\.source = "sim:sea": .*there is no simulator "sea"; allowed is sim:cell/,
    );
  });

  it("a password needs a user", () => {
    const source = "source: 'rtsp://cam/1'";
    expect(errors({ feeds: [feed(`${source}, user: u, password: p`), MICROPHONE] })).toEqual([]);
    expect(errors({ feeds: [feed(`${source}, password: hunter2`)] })).toEqual([
      "F:3: feeds[0].password = [hidden]: there is a password and no user: add the key user",
    ]);
  });

  it.each([
    "rtsp://admin:hunter2@cam/1",
    "http://hunter2@cam/1.jpg",
    "rtsp://admin:hun/hunter2@cam/1",
    "rtsp://admin:hunter2?@cam/1",
    "rtp://admin:hunter2@cam/1",
    "RTSP://admin:hunter2@cam/1",
  ])("a source with credentials is refused, and they are not shown: %s", (source) => {
    const found = errors({ feeds: [feed(`source: '${source}'`)] });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^F:3: feeds\[0\]/);
    expect(found[0]).not.toContain("hunter2");
  });

  it("an @ in the path of a source is no credential", () => {
    expect(errors({ feeds: [feed("source: 'http://cam/@live?to=a@b'")] })).toEqual([]);
  });

  it("a microphone's gate makes clips that the model takes", () => {
    const gate = (keys: string) => feed(`source: 'pulse:default', gate: { ${keys} }`, "microphone");
    const told = (keys: string) => errors({ feeds: [gate(keys)] }).map((line) => line.slice(4));
    expect(told("kind: voice, maximum: 15s")).toEqual([]);
    expect(told("kind: voice, maximum: 16s")).toEqual([
      ' feeds[0].gate.maximum = "16s": must be 15s at most: the model hears badly beyond',
    ]);
    expect(told("kind: sound, maximum: 2s, preroll: 2s, silence: 3s, minimum: 4s")).toEqual([
      ' feeds[0].gate.minimum = "4s": must be below the longest clip, maximum: 2000ms',
      ' feeds[0].gate.preroll = "2s": must be below the longest clip, maximum: 2000ms',
      ' feeds[0].gate.silence = "3s": must be below the longest clip, maximum: 2000ms',
    ]);
    expect(told("kind: interval, length: 50ms")).toHaveLength(1);
    expect(told("kind: interval, length: 20s")).toHaveLength(1);
  });
});
