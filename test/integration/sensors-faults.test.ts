import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createSensors } from "../../device/sensors/create-sensors.ts";
import { FileReader } from "../../device/sensors/file-reader.ts";
import { Nvidia } from "../../device/sensors/nvidia.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { until } from "../support/until.ts";

const BOXES = join(import.meta.dirname, "../fixtures/boxes");
const folder = mkdtempSync(join(tmpdir(), "perch-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const never = new AbortController().signal;
let copies = 0;

/** A box's tree of its own, to break. */
function copyOf(box: string): string {
  copies += 1;
  const root = join(folder, `${box}-${copies}`);
  cpSync(join(BOXES, box), root, { recursive: true, verbatimSymlinks: true });
  return root;
}

/** A file that lets nobody finish opening it. */
function hang(path: string): void {
  rmSync(path);
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
}

async function sensorsOf(root: string) {
  const sensors = createSensors({ root, clock: systemClock, logger: silentLogger, pids: () => [4242] });
  open.push({ close: () => sensors.stop() });
  await sensors.start(never);
  return sensors;
}

describe("A box's files", () => {
  it("that hang are named and hold back no other, until they answer again", async () => {
    const root = copyOf("jetson-orin-nano");
    const cpu = join(root, "sys/class/thermal/thermal_zone0/temp");
    hang(cpu);
    const sensors = await sensorsOf(root);
    const zones = () => sensors.latest().zones.map(({ id }) => id);
    expect(sensors.latest().distrusted).toContainEqual({ sensor: "cpu-thermal", reason: "does not answer" });
    expect(zones()).toEqual(["gpu-thermal", "soc0-thermal", "soc1-thermal", "soc2-thermal", "tj-thermal"]);
    expect(sensors.latest().memories).toHaveLength(1);
    expect(sensors.health().state).toBe("ok");
    rmSync(cpu);
    writeFileSync(cpu, "55000\n");
    await until(() => zones().includes("cpu-thermal"));
  });

  it("that go are named, that say nonsense too, and the rest is believed", async () => {
    const root = copyOf("jetson-orin-nano");
    const sensors = await sensorsOf(root);
    const zone = (number: number) => join(root, `sys/class/thermal/thermal_zone${number}`);
    rmSync(zone(0), { recursive: true });
    writeFileSync(join(zone(1), "temp"), "-256000\n");
    writeFileSync(join(zone(5), "temp"), "hot\n");
    writeFileSync(join(zone(6), "temp"), "0\n");
    writeFileSync(join(zone(7), "temp"), "");
    await until(() => sensors.latest().distrusted.length === 8);
    expect(sensors.latest().zones.map(({ id }) => id)).toEqual(["tj-thermal"]);
    expect(sensors.latest().distrusted).toEqual(
      expect.arrayContaining([
        { sensor: "cpu-thermal", reason: "is not there (ENOENT)" },
        { sensor: "gpu-thermal", reason: "says -256 °C, colder than any running box" },
        { sensor: "soc0-thermal", reason: "gives no number" },
        { sensor: "soc1-thermal", reason: "says 0 °C exactly, as a sensor without power does" },
        { sensor: "soc2-thermal", reason: "says nothing" },
      ]),
    );
  });

  it("that count over-current events say so while the counter moves", async () => {
    const root = copyOf("jetson-orin-nano");
    const sensors = await sensorsOf(root);
    expect(sensors.latest().throttling).toEqual([]);
    writeFileSync(join(root, "sys/class/hwmon/hwmon3/oc3_event_cnt"), "41\n");
    writeFileSync(join(root, "sys/class/hwmon/hwmon1/curr1_crit_alarm"), "1\n");
    await until(() => sensors.latest().throttling.length === 2);
    expect(sensors.latest().throttling).toEqual([
      "board: instantaneous over-current",
      "VDD_IN: critical current",
    ]);
  });

  it("that are all gone leave readings of nothing, and a part that says so", async () => {
    const root = join(folder, "empty");
    const sensors = await sensorsOf(root);
    expect(sensors.latest()).toMatchObject({ zones: [], memories: [], watts: null });
    expect(sensors.health()).toMatchObject({
      state: "degraded",
      reason:
        "no temperature can be read, so the model works at a safe pace only; how much memory is free cannot be read",
    });
  });
});

describe("A reader of files", () => {
  function reader(root: string): FileReader {
    const files = new FileReader({ name: "test", root, clock: systemClock, logger: silentLogger });
    open.push(files);
    return files;
  }

  it("says of each file what stands in it, or why it cannot be read", async () => {
    const root = mkdtempSync(join(folder, "files-"));
    writeFileSync(join(root, "lines"), "a b  c\n\n \\t 'd'\nlast");
    writeFileSync(join(root, "empty"), "");
    writeFileSync(join(root, "long"), "x".repeat(1_000_000));
    const files = reader("/");
    const at = (name: string) => join(root, name);
    for (let round = 0; round < 2; round += 1) {
      const answers = await files.read([
        at("lines"),
        at("empty"),
        at("long"),
        "nowhere",
        "proc/self/mem",
        "proc/version",
      ]);
      expect(answers.text(at("lines"))).toBe("a b  c\n\n \\t 'd'\nlast");
      expect(answers.fault(at("empty"))).toBe("says nothing");
      expect(answers.fault(at("long"))).toMatch(/^(says far too much|does not answer)$/);
      expect(answers.fault("nowhere")).toBe("is not there (ENOENT)");
      expect(answers.fault("proc/self/mem")).toBe("cannot be read (EIO)");
      expect(answers.text("proc/version")).toMatch(/^Linux/);
    }
  });

  it("lists files in the order of their numbers, and nothing where there is no folder", async () => {
    const files = reader(join(BOXES, "jetson-agx-orin"));
    const zones = (await files.list("sys/class/thermal")).filter((name) => name.startsWith("thermal_zone"));
    expect(zones.slice(-2)).toEqual(["thermal_zone9", "thermal_zone10"]);
    expect(await files.list("nowhere")).toEqual([]);
  });

  it("can be closed while a file hangs", async () => {
    const root = mkdtempSync(join(folder, "files-"));
    writeFileSync(join(root, "hung"), "");
    hang(join(root, "hung"));
    const files = reader(root);
    const answers = files.read(["hung"]);
    await files.close();
    expect((await answers).fault("hung")).toBe("is no longer asked");
  });
});

describe("nvidia-smi", () => {
  const ROW =
    "GPU-a, 00000000:01:00.0, NVIDIA GeForce RTX 3090, 60, [N/A], 200.00, 24576, 16214, 8058, 99, 0x4";

  /** A program in its place, and the sensor that reads it. */
  function nvidia(
    query: readonly string[],
    pids: () => number[] = () => [],
    processes: readonly string[] = [],
  ): Nvidia {
    copies += 1;
    const command = join(folder, `nvidia-smi-${copies}`);
    const lines = [
      "#!/bin/sh",
      'case "$*" in',
      "-L) echo 'GPU 0: NVIDIA GeForce RTX 3090 (UUID: GPU-a)' ;;",
      "*--query-gpu=*)",
      ...query,
      ";;",
      "*--query-compute-apps=*)",
      ...processes,
      "sleep 600 ;;",
      "esac",
    ];
    writeFileSync(command, lines.join("\n"));
    chmodSync(command, 0o755);
    const sensor = new Nvidia({ clock: systemClock, logger: silentLogger, pids, command });
    open.push(sensor);
    return sensor;
  }

  it("that is not installed is no sensor", async () => {
    const sensor = new Nvidia({
      clock: systemClock,
      logger: silentLogger,
      pids: () => [],
      command: join(folder, "nowhere"),
    });
    expect(await sensor.probe()).toBe(false);
  });

  it("that cuts a line in the middle is read from the next on", async () => {
    const sensor = nvidia([
      `printf '0, GPU-a, 0000'`,
      "sleep 0.2",
      `printf '0000\\n0, ${ROW}\\n0, GPU-a'`,
      "sleep 600",
    ]);
    expect(await sensor.probe()).toBe(true);
    expect((await sensor.read(never)).zones).toEqual([{ id: "nvidia0", celsius: 60, limit: null }]);
  });

  it("that fails says why, and counts again once it works", async () => {
    const mark = join(folder, "driver-loaded");
    const sensor = nvidia([
      `if [ ! -e '${mark}' ]; then echo 'No devices were found'; exit 6; fi`,
      `while :; do echo '0, ${ROW}'; sleep 1; done`,
    ]);
    await expect(sensor.read(never)).rejects.toThrow("No devices were found");
    writeFileSync(mark, "");
    await until(() =>
      sensor.read(never).then(
        () => true,
        () => false,
      ),
    );
  });

  it("of an older driver is asked by older names, and not for what it does not know", async () => {
    const older = ROW.replace(" [N/A],", "");
    const sensor = nvidia([
      'case "$*" in',
      `*clocks_event_reasons*) echo 'Field "clocks_event_reasons.active" is not a valid field to query.'; exit 2 ;;`,
      `*tlimit*) echo 'Field "temperature.gpu.tlimit" is not a valid field to query.'; exit 2 ;;`,
      "esac",
      `while :; do echo '0, ${older}'; sleep 1; done`,
    ]);
    expect(await sensor.read(never)).toMatchObject({
      zones: [{ id: "nvidia0", celsius: 60 }],
      throttling: ["nvidia0: power cap"],
      watts: 200,
    });
  });

  it("that sees no processes, as in a container, has what was lost since none of ours ran", async () => {
    const pids: number[] = [];
    const before = ROW.replace("16214, 8058", "500, 23772");
    const sensor = nvidia(
      [`echo '0, ${before}'`, "sleep 2", `while :; do echo '0, ${ROW}'; sleep 1; done`],
      () => pids,
    );
    const own = async () => (await sensor.read(never)).memories?.[0]?.own;
    expect(await own()).toBe(0);
    pids.push(4242);
    await until(async () => (await own()) === (16214 - 500) * 1_048_576);
  });

  it("tells our own children's memory from others'", async () => {
    const sensor = nvidia([`while :; do echo '0, ${ROW}'; sleep 1; done`], () => [4242, 4243], [
      "while :; do printf 'GPU-a, 4242, 8000\\nGPU-a, 5000, 7000\\nGPU-b, 4243, 900\\n'; sleep 1; done",
    ]);
    await until(async () => (await sensor.read(never)).memories?.[0]?.own === 8000 * 1_048_576);
  });

  it("that lists a GPU no more, or a fault of it, has it named", async () => {
    const lost = ROW.replace(" 60,", " [GPU requires reset],");
    const sensor = nvidia([
      `printf '0, ${ROW}\\n1, ${ROW}\\n'`,
      `while :; do echo '0, ${lost}'; sleep 1; done`,
    ]);
    await until(async () => (await sensor.read(never)).failed?.length === 2);
    expect((await sensor.read(never)).failed).toEqual([
      { sensor: "nvidia0", reason: "temperature.gpu: [GPU requires reset]" },
      { sensor: "nvidia1", reason: "is no longer listed by nvidia-smi" },
    ]);
  });

  it("that falls silent is started again", async () => {
    const sensor = nvidia([`echo '0, ${ROW}'`, "exec sleep 600"]);
    expect((await sensor.read(never)).zones).toHaveLength(1);
    await until(() =>
      sensor.read(never).then(
        () => false,
        () => true,
      ),
    );
    await expect(sensor.read(never)).rejects.toThrow(/^has said nothing for \d+ s$/);
    await until(() =>
      sensor.read(never).then(
        () => true,
        () => false,
      ),
    );
  });
});
