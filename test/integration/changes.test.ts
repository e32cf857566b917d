import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Changes } from "../../service/config/changes.ts";
import { loadConfig } from "../../service/config/config.ts";
import type { Config } from "../../service/contract/config.ts";
import type { Watch } from "../../service/contract/config-watches.ts";
import { configText } from "../bench/configuration.ts";
import { watchOf } from "../support/observations.ts";
import { perchIn } from "../support/perch-command.ts";

let folder: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perch-test-"));
  data = join(folder, "data");
  mkdirSync(data);
});
afterEach(() => rmSync(folder, { recursive: true }));

const FEEDS = [
  { id: "camera", kind: "camera", source: "sim:cell" },
  { id: "door", kind: "camera", source: "sim:cell", enabled: false },
];
const WATCH = { question: "What?", answer: { person: { type: "boolean" } } };
const WATCHES = [
  { ...WATCH, id: "scene", feeds: ["camera"], rules: [{ id: "present", when: "person", for: "1500ms" }] },
  { ...WATCH, id: "old", feeds: ["door"] },
];

function configuration(over: object = {}): Config {
  return loadConfig(configText(folder, { node: "cell", data, feeds: FEEDS, watches: WATCHES, ...over }));
}

/** The changes of one life of the service, with what they put into force. */
class Life {
  readonly applied: Config[] = [];
  readonly log: string[] = [];
  readonly changes: Changes;

  constructor(config = configuration()) {
    this.changes = new Changes({
      config,
      logger: pino({}, { write: (line) => this.log.push((JSON.parse(line) as { msg: string }).msg) }),
      apply: async (to) => {
        this.applied.push(to);
      },
    });
  }

  static async begin(config?: Config): Promise<Life> {
    const life = new Life(config);
    await life.changes.start();
    return life;
  }

  watch(id: string): Watch | undefined {
    return this.changes.now.config.watches.find((watch) => watch.id === id);
  }
}

const file = () => join(data, "changes.yaml");
const added = watchOf({
  id: "new",
  question: "Tell me ${env:HOME} or ${file:/etc/hostname}",
  spacing: 1_500,
});

describe("changes that are laid over the configuration file", () => {
  it("are in force when they are on the disk, and after a restart", async () => {
    const life = await Life.begin();
    const scene = { ...watchOf({ id: "scene" }), rules: [] };
    await life.changes.change(() => [
      { feed: "camera", enabled: false },
      { watchId: "scene", watch: scene },
      { watchId: "old", watch: null },
      { watchId: "new", watch: added },
    ]);
    const now = life.applied.at(-1);
    expect(now?.feeds.map(({ enabled }) => enabled)).toEqual([false, false]);
    expect(now?.watches).toEqual([scene, added]);

    const next = await Life.begin();
    expect(next.changes.now.config).toEqual(now);
    expect(next.applied).toEqual([now]);
    expect(next.log).toEqual([
      `changes  feed camera off, watch scene changed, watch new added, watch old removed, by ${file()}`,
    ]);
    expect(next.changes.health()).toEqual({ state: "ok" });
    expect(readdirSync(data)).toEqual(["changes.yaml"]);
  });

  it("take a text from outside as it stands: it can name no secret of the box", async () => {
    const life = await Life.begin();
    await life.changes.change(() => [{ watchId: "new", watch: added }]);
    expect((await Life.begin()).watch("new")?.question).toBe(added.question);
  });

  it("need no entry where they say what the file says, and can be taken back", async () => {
    const life = await Life.begin();
    const scene = life.watch("scene");
    await life.changes.change(() => [
      { feed: "door", enabled: true },
      { watchId: "scene", watch: null },
    ]);
    expect(life.watch("scene")).toBeUndefined();
    await life.changes.change(() => [{ feed: "door" }, { watchId: "scene" }]);
    expect(life.watch("scene")).toEqual(scene);
    await life.changes.change(() => [
      { feed: "camera", enabled: true },
      { watchId: "scene", watch: structuredClone(scene) ?? null },
      { watchId: "never", watch: null },
    ]);
    expect(readFileSync(file(), "utf8")).toMatch(/^#.*\n#.*\nfeeds: \{\}\nwatches: \{\}\n$/);
  });

  it("are left out with the reason where the file no longer fits, kept, and back when it fits again", async () => {
    const life = await Life.begin();
    await life.changes.change(() => [
      { feed: "camera", enabled: false },
      { watchId: "new", watch: added },
      { watchId: "old", watch: null },
    ]);
    const without = configuration({ feeds: FEEDS.slice(1), watches: WATCHES.slice(1) });
    const next = await Life.begin(without);
    expect(next.changes.now.config.watches).toEqual([]);
    expect(next.changes.health()).toEqual({
      state: "degraded",
      reason: [
        `${file()}: feed camera is left out: there is no such feed in the configuration`,
        `${file()}: watch new is left out: feeds[0] there is no such feed; feeds: door`,
      ].join("; "),
    });
    await next.changes.change(() => [{ feed: "door", enabled: true }]);
    expect((await Life.begin()).watch("new")).toEqual(added);
    await next.changes.change(() => [{ feed: "camera" }, { watchId: "new" }]);
    expect(next.changes.health()).toEqual({ state: "ok" });
  });

  it.each([
    ["no YAML", "feeds: [", /cannot be used: line 1: /],
    ["another form", "feeds: { camera: off }", /cannot be used: feeds\.camera: must be a mapping/],
    ["other keys", "feed: {}", /cannot be used: feed: unknown key feed/],
  ])("never keep the service from starting: %s", async (_, text, reason) => {
    writeFileSync(file(), text);
    const life = await Life.begin();
    expect(life.changes.now.config).toEqual(configuration());
    expect(life.changes.health()).toMatchObject({
      state: "degraded",
      reason: expect.stringMatching(reason),
    });
    // Somebody's changes are in it: it is not written over.
    await expect(life.changes.change(() => [{ feed: "camera", enabled: false }])).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(readFileSync(file(), "utf8")).toBe(text);
  });

  it("are refused one by one where they cannot be kept, and nothing is in force then", async () => {
    const life = await Life.begin();
    const off = () => life.changes.change(() => [{ feed: "camera", enabled: false }]);
    rmSync(data, { recursive: true });
    await expect(off()).rejects.toMatchObject({ code: "DATA_UNWRITABLE" });
    expect(life.changes.now.config).toEqual(configuration());
    mkdirSync(data);
    const huge = watchOf({ id: "huge", question: "x".repeat(4_000) });
    const many = Array.from({ length: 256 }, (_, index) => ({ ...huge, id: `huge-${index}` }));
    const all = many.map((watch) => ({ watchId: watch.id, watch }));
    await expect(life.changes.change(() => all)).rejects.toThrow(/would take more than 1 MB/);
    await off();
    expect(life.changes.now.config.feeds[0]?.enabled).toBe(false);
  });

  it("are made one after the other, each of what the one before left", async () => {
    const life = await Life.begin();
    const seen: (string | undefined)[] = [];
    const ask = (question: string) =>
      life.changes.change(() => {
        seen.push(life.watch("scene")?.question);
        return [{ watchId: "scene", watch: watchOf({ id: "scene", question }) }];
      });
    await Promise.all([ask("One?"), ask("Two?"), ask("Three?")]);
    expect(seen).toEqual(["What?", "One?", "Two?"]);
    expect(life.watch("scene")?.question).toBe("Three?");
  });
});

describe("perch check", () => {
  it("says what was changed by HTTP", async () => {
    const life = await Life.begin();
    await life.changes.change(() => [{ feed: "camera", enabled: false }]);
    configuration({ watches: [] });
    await life.changes.change(() => [{ watchId: "new", watch: watchOf({ id: "new", feeds: ["camera"] }) }]);
    const checked = await perchIn(folder, "check", "--config", "perch.json");
    expect(checked).toMatchObject({ code: 0, err: "" });
    expect(checked.out).toContain(`note, changed by HTTP in ${file()}: feed camera off, watch new added\n`);
  });
});
