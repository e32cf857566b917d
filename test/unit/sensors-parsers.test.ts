import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { integerOf } from "../../device/sensors/file-reader.ts";
import { HeldSince } from "../../device/sensors/held-since.ts";
import { channelLimit, governing, sameName } from "../../device/sensors/hwmon.ts";
import { boardWatts, powerMode, railWatts } from "../../device/sensors/jetson.ts";
import { freeOf } from "../../device/sensors/memory.ts";
import {
  groupFiles,
  limitingGroups,
  parseCgroup,
  parseGpuClients,
  parseHolding,
  parseMeminfo,
  parsePressure,
  upwards,
} from "../../device/sensors/memory-files.ts";
import {
  FIELDS,
  gpuLimit,
  parseProcess,
  parseRow,
  parseThresholds,
  throttlingOf,
  withoutRefused,
} from "../../device/sensors/nvidia-output.ts";
import { limitOf } from "../../device/sensors/thermal-zones.ts";

const ROW =
  "0, GPU-8f6c1f2e, 00000000:01:00.0, NVIDIA GeForce RTX 4070, 71, 16, 186.43, 12282, 8204, 3778, 97, 0x0000000000000024";

/** Text as a broken file or tool may give it: anything, or something true with pieces cut, doubled or replaced. */
const garbageOf = (truth: string) =>
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .tuple(fc.nat(truth.length), fc.nat(truth.length), fc.string({ maxLength: 12 }))
      .map(([from, to, put]) => truth.slice(0, from) + put + truth.slice(to)),
  );

describe("nvidia-smi's lines", () => {
  it("say what a GPU measures", () => {
    expect(parseRow(ROW, FIELDS)).toEqual({
      index: 0,
      uuid: "GPU-8f6c1f2e",
      bus: "00000000:01:00.0",
      name: "NVIDIA GeForce RTX 4070",
      celsius: 71,
      room: 16,
      watts: 186.43,
      memory: { total: 12878610432, used: 8602517504, free: 3961520128 },
      load: 0.97,
      reasons: 0x24,
      faults: [],
    });
  });

  it("tell apart what a GPU does not have and what has failed", () => {
    const silent = "1, [N/A], [N/A], Orin (nvgpu), [N/A], [Not Supported], N/A, [N/A], [N/A], [N/A], , [N/A]";
    expect(parseRow(silent, FIELDS)).toEqual({
      index: 1,
      uuid: "[N/A]",
      bus: "[n/a]",
      name: "Orin (nvgpu)",
      faults: [],
    });
    const broken = ROW.replace(" 71,", " [GPU requires reset],").replace("186.43", "ERR!");
    expect(parseRow(broken, FIELDS)?.faults).toEqual([
      "temperature.gpu: [GPU requires reset]",
      "power.draw: ERR!",
    ]);
    expect(parseRow(broken, FIELDS)?.celsius).toBeUndefined();
  });

  it.each([
    "",
    "No devices were found",
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it is running.",
    "Unable to determine the device handle for GPU1: 0000:44:00.0: Unknown Error",
    ROW.slice(0, 60),
    `${ROW}, 0x1`,
    ROW.replace(/^0/, "GPU 0"),
  ])("that are none are dropped: %j", (line) => {
    expect(parseRow(line, FIELDS)).toBeUndefined();
  });

  it("of processes say which of them holds what of which GPU", () => {
    expect(parseProcess("GPU-8f6c, 4242, 7391")).toEqual({ uuid: "GPU-8f6c", pid: 4242, bytes: 7750025216 });
    for (const line of [
      "GPU-8f6c, 4242, [N/A]",
      "GPU-8f6c, [Insufficient Permissions], 12",
      "No running processes found",
    ])
      expect(parseProcess(line)).toBeUndefined();
  });

  it("name a field that the driver does not know, which is then asked by its older name or not at all", () => {
    const refusal = (field: string) => `Field "${field}" is not a valid field to query.\n`;
    const older = withoutRefused(refusal("clocks_event_reasons.active"), FIELDS) ?? [];
    expect(older).toHaveLength(FIELDS.length);
    expect(older).toContain("clocks_throttle_reasons.active");
    expect(parseRow(ROW, older)?.reasons).toBe(0x24);
    const fewer = withoutRefused(refusal("temperature.gpu.tlimit"), older) ?? [];
    expect(fewer).toHaveLength(FIELDS.length - 1);
    expect(withoutRefused("No devices were found", FIELDS)).toBeUndefined();
  });

  it("never give anything impossible, whatever stands in them", () => {
    fc.assert(
      fc.property(garbageOf(ROW), (line) => {
        const row = parseRow(line, FIELDS);
        if (!row) return;
        expect(row.index).toBeGreaterThanOrEqual(0);
        if (row.watts !== undefined) expect(row.watts).toBeGreaterThanOrEqual(0);
        if (row.load !== undefined) expect(row.load).toBeLessThanOrEqual(1);
        if (row.memory) {
          const { total, used, free } = row.memory;
          for (const bytes of [total, used, free]) expect(Number.isSafeInteger(bytes)).toBe(true);
          expect(Math.max(used, free)).toBeLessThanOrEqual(total);
          expect(Math.min(used, free)).toBeGreaterThanOrEqual(0);
        }
        for (const text of throttlingOf("nvidia0", row.reasons ?? 0)) expect(text).toMatch(/^nvidia0: \w/);
      }),
    );
    fc.assert(fc.property(garbageOf("GPU-8f6c, 4242, 7391"), (line) => void parseProcess(line)));
  });
});

describe("A GPU's throttling", () => {
  it.each([
    [0x0, []],
    [0x1, []],
    [0x4, ["power cap"]],
    [0x24, ["power cap", "software thermal slowdown"]],
    [0x48, ["hardware thermal slowdown"]],
    [0x88, ["power brake"]],
    [0x8, ["hardware slowdown"]],
    [0x100000000, []],
  ])("by the bits %d", (reasons, expected) => {
    expect(throttlingOf("nvidia1", reasons)).toEqual(expected.map((why) => `nvidia1: ${why}`));
  });
});

describe("A GPU's limit", () => {
  const page = (lines: readonly string[]) =>
    [
      "==============NVSMI LOG==============",
      "",
      "Attached GPUs : 1",
      "GPU 00000000:01:00.0",
      "    Temperature",
      ...lines,
    ].join("\n");

  it("is its target temperature where it has one", () => {
    const [thresholds] = parseThresholds(
      page([
        "        GPU Current Temp                  : 42 C",
        "        GPU T.Limit Temp                  : N/A",
        "        GPU Shutdown Temp                 : 100 C",
        "        GPU Slowdown Temp                 : 97 C",
        "        GPU Max Operating Temp            : 105 C",
        "        GPU Target Temperature            : 87 C",
      ]),
    );
    expect(thresholds).toEqual({ bus: "00000000:01:00.0", target: 87, operating: 105, slowdown: 97 });
    expect(gpuLimit({ celsius: 42 }, thresholds)).toBe(87);
  });

  it("is by the room that it tells where it has no thresholds", () => {
    const [thresholds] = parseThresholds(
      page([
        "        GPU Current Temp                  : 31 C",
        "        GPU T.Limit Temp                  : 55 C",
        "        GPU Shutdown T.Limit Temp         : -8 C",
        "        GPU Slowdown T.Limit Temp         : -2 C",
        "        GPU Max Operating T.Limit Temp    : 0 C",
        "        GPU Target Temperature            : N/A",
      ]),
    );
    expect(thresholds).toEqual({ bus: "00000000:01:00.0", operatingRoom: 0 });
    expect(gpuLimit({ celsius: 60, room: 26 }, thresholds)).toBe(86);
  });

  it("is none where it tells none", () => {
    expect(
      gpuLimit({ celsius: 60 }, parseThresholds(page(["        GPU Slowdown Temp : N/A"]))[0]),
    ).toBeNull();
    expect(gpuLimit({}, undefined)).toBeNull();
  });

  it("is plausible, whatever nvidia-smi writes", () => {
    const truth = page([
      "        GPU Slowdown Temp                 : 97 C",
      "        GPU Target Temperature            : 87 C",
    ]);
    fc.assert(
      fc.property(garbageOf(truth), fc.double(), fc.double(), (text, celsius, room) => {
        for (const thresholds of [...parseThresholds(text), undefined]) {
          const limit = gpuLimit({ celsius, room }, thresholds) ?? 83;
          expect(limit).toBeGreaterThanOrEqual(50);
          expect(limit).toBeLessThanOrEqual(150);
        }
      }),
    );
  });
});

describe("A thermal zone's limit", () => {
  const trip = (type: string, celsius: number, ...cooling: string[]) => ({ type, celsius, cooling });

  it("is the lowest trip at which something is slowed down", () => {
    const trips = [
      trip("passive", 99, "cpufreq-cpu0", "cpu-throttle-alert"),
      trip("critical", 104.5),
      trip("passive", 70, "hot-surface-alert"),
      trip("active", 51, "pwm-fan"),
      trip("passive", 60, "pwm-fan"),
    ];
    expect(limitOf(trips)).toBe(99);
    expect(limitOf([...trips, trip("hot", 95)])).toBe(95);
  });

  it("lies as far under the shutdown as a Jetson's does where nothing else is told", () => {
    expect(limitOf([trip("critical", 104.5), trip("passive", 70, "hot-surface-alert")])).toBe(99);
  });

  it("is none where trips are placeholders, or thresholds that some program set", () => {
    expect(limitOf([trip("critical", 20.8)])).toBeNull();
    expect(
      limitOf([trip("passive", -274, "Processor"), trip("passive", 0, "Processor"), trip("passive", 62)]),
    ).toBeNull();
    expect(limitOf([])).toBeNull();
  });
});

it("Of a hardware monitoring chip its package counts, and where the processor throttles", () => {
  expect(governing("coretemp", ["Package id 0", "Core 0", "Core 1"])).toEqual(["Package id 0"]);
  expect(governing("coretemp", ["Core 0", "Core 1"])).toEqual(["Core 0", "Core 1"]);
  expect(governing("k10temp", ["Tctl", "Tdie", "Tccd1"])).toEqual(["Tdie"]);
  expect(governing("amdgpu", ["edge", "junction", "mem"])).toEqual(["edge", "junction", "mem"]);
  expect(channelLimit("coretemp", 100, 80)).toBe(100);
  expect(channelLimit("k10temp", undefined, 70)).toBeNull();
  expect(channelLimit("nouveau", 0, 95)).toBe(95);
  expect(sameName("cpu-thermal", "cpu_thermal")).toBe(true);
});

describe("A Jetson's power", () => {
  it("is its input's where that is measured, else its rails' together", () => {
    const rail = (label: string, watts: number) => ({ label, watts });
    expect(boardWatts([rail("VDD_CPU_GPU_CV", 2), rail("VDD_IN", 9.25), rail("VDD_SOC", 2.4)])).toBe(9.25);
    expect(boardWatts([rail("VDD_GPU_SOC", 3), rail("VIN_SYS_5V0", 4), rail("VDDQ_VDD2_1V8AO", 1)])).toBe(7);
    expect(boardWatts([])).toBeUndefined();
    expect(railWatts(4984, 1856, undefined)).toBeCloseTo(9.25, 2);
    expect(railWatts(4984, -40, undefined)).toBe(0);
    expect(railWatts(undefined, 1856, undefined)).toBeUndefined();
    expect(railWatts(undefined, undefined, 37_530_000)).toBe(37.53);
  });

  it("has a mode, by name where nvpmodel's list has one", () => {
    const list = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n";
    expect(powerMode("pmode:0002", list)).toBe("MAXN_SUPER");
    expect(powerMode("pmode:0001", list)).toBe("mode 1");
    expect(powerMode("NV Power Mode: MAXN_SUPER\n2", undefined)).toBe("MAXN_SUPER");
    expect(powerMode(undefined, list)).toBeUndefined();
  });
});

describe("Memory", () => {
  const MEMINFO = "MemTotal:        7802880 kB\nMemFree:         1103212 kB\nMemAvailable:    4418380 kB\n";
  const PRESSURE =
    "some avg10=18.35 avg60=1.00 avg300=0.20 total=18\nfull avg10=12.60 avg60=0.90 avg300=0.10 total=12\n";

  it("is what /proc says", () => {
    expect(parseMeminfo(MEMINFO)).toEqual({ total: 7_990_149_120, available: 4_524_421_120 });
    expect(parseMeminfo("MemTotal: 12 MB")).toBeUndefined();
    expect(parsePressure(PRESSURE)).toEqual({ some: 18.35, full: 12.6 });
    expect(parsePressure("some avg10=1.00 avg60=0.00 avg300=0.00 total=5")).toEqual({ some: 1, full: 0 });
    expect(parsePressure("")).toBeUndefined();
  });

  it("is never more than all of it, whatever stands in the files", () => {
    fc.assert(
      fc.property(garbageOf(MEMINFO), garbageOf(PRESSURE), (meminfo, pressure) => {
        const memory = parseMeminfo(meminfo);
        if (memory) expect(memory.available).toBeLessThanOrEqual(memory.total);
        const share = parsePressure(pressure);
        for (const percent of share ? [share.some, share.full] : []) {
          expect(percent).toBeGreaterThanOrEqual(0);
          expect(percent).toBeLessThanOrEqual(100);
        }
        parseHolding(meminfo, pressure);
        parseGpuClients(meminfo);
        for (const file of groupFiles(parseCgroup(meminfo))) expect(file).not.toMatch(/\/\.\.?\//);
      }),
    );
  });

  it("is limited by every control group that we are in", () => {
    const files: Record<string, string> = {
      "sys/fs/cgroup/a/b/memory.max": "max",
      "sys/fs/cgroup/a/b/memory.high": "4000000000",
      "sys/fs/cgroup/a/b/memory.current": "3000000000",
      "sys/fs/cgroup/a/b/memory.stat":
        "anon 1\ninactive_file 500000000\nactive_file 500000000\nslab_reclaimable 0",
      "sys/fs/cgroup/a/memory.max": "8000000000",
      "sys/fs/cgroup/a/memory.current": "7500000000",
    };
    const place = parseCgroup("4:memory:/x\n0::/a/b\n");
    expect(place).toEqual({ v2: "/a/b", v1: "/x" });
    expect(upwards("/a/b")).toEqual(["/a/b", "/a", ""]);
    const groups = limitingGroups(place, (path) => files[path]);
    expect(groups).toEqual([
      { limit: 4e9, used: 2e9 },
      { limit: 8e9, used: 7.5e9 },
    ]);
    expect(freeOf(6e9, groups, 4e9, 0)).toBe(0.5e9);
    expect(freeOf(6e9, [], 8e9, 1e9)).toBe(5e9);
    expect(freeOf(6e9, [], 8e9, 7e9)).toBe(0);
  });

  it("of version 1's groups without a limit is all of the box's", () => {
    const files: Record<string, string> = {
      "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712",
      "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1000",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "900000000",
      "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100000000\ntotal_active_file 0",
    };
    expect(limitingGroups(parseCgroup("4:memory:/x"), (path) => files[path])).toEqual([
      { limit: 2e9, used: 8e8 },
    ]);
  });

  it("of a process counts shared pages by their share where that is told", () => {
    const rollup = "Rss: 1638400 kB\nPss:             1126400 kB\nPss_File:         512000 kB\n";
    const status = "VmRSS:\t 1638400 kB\nRssAnon:\t  614400 kB\nRssFile:\t 1024000 kB\n";
    expect(parseHolding(rollup, status)).toEqual({ all: 1_153_433_600, file: 524_288_000 });
    expect(parseHolding(undefined, status)).toEqual({ all: 1_677_721_600, file: 1_048_576_000 });
    expect(parseHolding(undefined, undefined)).toBeUndefined();
  });

  it("that a Jetson's GPU holds is told by process", () => {
    const clients =
      "CLIENT   PROCESS   PID   SIZE\nuser    llama-server   4242   8192000K\nuser  a b  17  3M\ntotal  8201216K\n";
    expect(parseGpuClients(clients)).toEqual(
      new Map([
        [4242, 8_388_608_000],
        [17, 3_145_728],
      ]),
    );
  });

  it("that nobody tells by process is ours by what was lost since none of ours ran", () => {
    const since = new HeldSince();
    expect(since.of(5e9, 1)).toBe(0);
    expect(since.of(2e9, 0)).toBe(0);
    expect(since.of(9e9, 1)).toBe(7e9);
    expect(since.of(1e9, 1)).toBe(0);
  });
});

it("A whole number is one only where nothing else stands beside it", () => {
  expect(integerOf("-274000")).toBe(-274000);
  for (const text of ["", " 1", "1.5", "0x10", "1e3", "NaN", "99999999999999999", undefined])
    expect(integerOf(text)).toBeUndefined();
});
