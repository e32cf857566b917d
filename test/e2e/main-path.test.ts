import { afterEach, describe, expect, it } from "vitest";
import type { Observation } from "../../service/contract/observation.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { cellSound, cellVideo } from "../support/cell-media.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { startRtspCamera } from "../support/rtsp-camera.ts";
import { until } from "../support/until.ts";

let perch: PerchProcess;
afterEach(() => perch.dispose());

const share = ({ n, right }: { n: number; right: number }) => right / n;

function observations(watch: string): Observation["answer"][] {
  const database = new Database(perch.database, { readonly: true });
  const rows = database
    .prepare("select answer from observation where watch = ? order by captured")
    .pluck()
    .all(watch) as string[];
  database.close();
  return rows.map((row) => JSON.parse(row) as Observation["answer"]);
}

function promptTokens(watch: string): number[] {
  const database = new Database(perch.database, { readonly: true });
  const rows = database
    .prepare("select provenance from observation where watch = ?")
    .pluck()
    .all(watch) as string[];
  database.close();
  return rows.map((row) => (JSON.parse(row) as Observation["provenance"]).tokens.prompt);
}

describe("the main path", () => {
  it("sees and hears the simulated cell about as well as the small model can, and all is acknowledged", async () => {
    perch = new PerchProcess({
      feeds: CELL_FEEDS,
      watches: [{ ...SCENE_WATCH, rules: [{ id: "always", when: "display >= 0" }] }, SOUND_WATCH],
    });
    perch.start("--for", "25s", "--report", "out.json");
    expect(await perch.ended()).toBe(0);
    const report = perch.report("out.json");
    expect(report.observations).toBeGreaterThan(20);
    expect(report.events).toBeGreaterThan(0);
    expect(report.acknowledged).toBe(report.observations + report.events);
    expect(report.published).toBe(report.acknowledged);
    const fields = ["person", "light", "display", "sound", "words"].map((field) => ({
      n: 0,
      right: 0,
      ...report.truth[field],
    }));
    for (const { n } of fields) expect(n).toBeGreaterThan(1);
    // One or two places are seen in this time, and one where it is wrong is wrong in every picture:
    // simulator-model.test.ts measures the model, and this that its answers are those that come out.
    const sum = (key: "n" | "right") => fields.reduce((total, field) => total + field[key], 0);
    expect(sum("right") / sum("n")).toBeGreaterThanOrEqual(0.8);
    expect(report.latency.answer_to_commit?.p50).toBeGreaterThan(0);
  });

  it("takes a video file and a WAV file as feeds", async () => {
    const video = cellVideo(12);
    const sound = cellSound(60);
    perch = new PerchProcess({
      feeds: [
        {
          id: "camera",
          kind: "camera",
          source: `file:${video.file}`,
          gate: { kind: "interval", interval: "200ms" },
        },
        {
          id: "microphone",
          kind: "microphone",
          source: `file:${sound.file}`,
          realtime: false,
          gate: { kind: "sound", heartbeat: "0s" },
        },
      ],
      watches: [SCENE_WATCH, SOUND_WATCH],
    });
    perch.start();
    await until(() => perch.log.filter((line) => line.includes("the file ended")).length === 2);
    expect(await perch.end()).toBe(0);
    const seen = observations("scene");
    // Every scene of the file is seen, with no answer that fits none of them.
    const scenes = video.truth.filter((truth) => "display" in truth);
    const fits = seen.filter((answer) =>
      // Of somebody who is half in the picture there is no truth.
      scenes.some((truth) =>
        Object.keys(answer).every((field) => (truth[field] ?? answer[field]) === answer[field]),
      ),
    );
    expect(scenes.length).toBe(video.truth.length);
    expect(seen.length).toBeGreaterThan(20);
    expect(fits.length / seen.length).toBeGreaterThanOrEqual(0.9);
    const spoken = sound.heard.flatMap(({ what }) => (what.sound === "speech" ? [what.word as string] : []));
    const words = observations("sound").flatMap(({ words }) => (words === "" ? [] : [words]));
    expect(spoken.length).toBeGreaterThan(2);
    expect(
      share({ n: spoken.length, right: spoken.filter((word) => words.includes(word)).length }),
    ).toBeGreaterThanOrEqual(0.8);
  });

  it("asks about two pictures where a watch wants them, once the earlier one is there", async () => {
    const gate = { kind: "interval", interval: "700ms" };
    const pair = { ...SCENE_WATCH, id: "pair", frames: 2, spacing: "400ms" };
    perch = new PerchProcess({
      feeds: [{ id: "camera", kind: "camera", source: "sim:cell?seed=7", gate }],
      watches: [SCENE_WATCH, pair, { ...pair, id: "never", frames: 4, spacing: "10s" }],
    });
    perch.start("--for", "8s", "--report", "out.json");
    expect(await perch.ended()).toBe(0);
    const [one = [], two = []] = ["scene", "pair"].map(promptTokens);
    expect(one.length).toBeGreaterThan(2);
    expect(two.length).toBeGreaterThan(2);
    // The second picture: 28 patches, and a token before and after them.
    expect(new Set(two.map((tokens) => tokens - (one[0] ?? 0)))).toEqual(new Set([30]));
    expect(observations("never")).toEqual([]);
    expect(perch.report("out.json").drops.no_earlier_frame).toBeGreaterThan(2);
  });

  it("takes picture and sound of an RTSP stream", async () => {
    const server = await startRtspCamera("digest", "viewer", "a secret");
    try {
      const source = { source: `rtsp://127.0.0.1:${server.port}/cam`, user: "viewer", password: "a secret" };
      perch = new PerchProcess({
        feeds: [
          { id: "camera", kind: "camera", ...source, gate: { kind: "interval", interval: "200ms" } },
          {
            id: "microphone",
            kind: "microphone",
            ...source,
            gate: { kind: "interval", interval: "1s", length: "1s" },
          },
        ],
        watches: [SCENE_WATCH, SOUND_WATCH],
      });
      perch.start();
      const counts = () => [observations("scene").length, observations("sound").length];
      // Before that the database may be there without its tables.
      await until(() => perch.log.some((line) => line.includes("the model answers")));
      await until(() => counts().every((count) => count > 3));
      expect(await perch.end()).toBe(0);
      expect(perch.log.join("\n")).not.toContain("a secret");
    } finally {
      await server.stop();
    }
  });
});
