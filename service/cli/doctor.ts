import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify, styleText } from "node:util";
import si from "systeminformation";
import { createSensors } from "../../device/sensors/create-sensors.ts";
import { loadConfig } from "../config/config.ts";
import type { Config } from "../contract/config.ts";
import type { Ladder, Level } from "../contract/models.ts";
import type { ModelStore } from "../inference/model-store.ts";
import { systemClock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import { packageRoot } from "../kernel/paths.ts";
import { modelStoreOf } from "../model/chosen-level.ts";
import { isElsewhere } from "../model/remote.ts";
import { remoteServers } from "./doctor-remote.ts";

/** `ok`: there and fit. `note`: worth knowing, nothing is wrong. `fault`: something configured will not work. */
interface Finding {
  readonly mark: "ok" | "note" | "fault";
  readonly text: string;
}
const ok = (text: string): Finding => ({ mark: "ok", text });
const note = (text: string): Finding => ({ mark: "note", text });
const fault = (text: string): Finding => ({ mark: "fault", text });

const SIGN = { ok: styleText("green", "✓"), note: "·", fault: styleText("red", "✗") } as const;
const GIGABYTE = 1e9;

/** `perch doctor`: what is here and what that allows. 0 where all that is configured can work, else 1. */
export async function doctor(file: string): Promise<number> {
  const config = loadConfig(file);
  const store = modelStoreOf(config, silentLogger);
  const sections: [string, Promise<Finding[]>][] = [
    ["Hardware", hardware()],
    ["Sensors", sensors(config)],
    ["Tools", tools(config)],
    ...(isElsewhere(config)
      ? []
      : ([
          [`Model (ladder ${config.engine.ladder})`, model(config, store)],
          ["Other models", otherModels(config, store)],
        ] as [string, Promise<Finding[]>][])),
    ["Servers elsewhere", remoteServers(config)],
    ["Feeds", Promise.resolve(feeds(config))],
    ["Data", Promise.resolve(dataFolder(config))],
  ];
  let faults = 0;
  for (const [title, pending] of sections) {
    const findings = await pending;
    if (findings.length === 0) continue;
    process.stdout.write(`${styleText("bold", title)}\n`);
    for (const { mark, text } of findings) process.stdout.write(`  ${SIGN[mark]} ${text}\n`);
    faults += findings.filter(({ mark }) => mark === "fault").length;
  }
  const verdict =
    faults === 0
      ? `${file} can run here`
      : `${faults} ${faults === 1 ? "thing stands" : "things stand"} in the way of ${file}`;
  process.stdout.write(`\n${verdict}\n`);
  return faults === 0 ? 0 : 1;
}

async function hardware(): Promise<Finding[]> {
  const [cpu, graphics] = await Promise.all([si.cpu(), si.graphics()]);
  const findings = [ok(`${cpu.manufacturer} ${cpu.brand}, ${cpu.cores} cores`)];
  if (existsSync("/etc/nv_tegra_release")) findings.push(ok("Jetson: the GPU shares this memory"));
  const nvidia = graphics.controllers.filter(({ vendor }) => /nvidia/i.test(vendor));
  for (const { model: name, vram } of nvidia)
    findings.push(ok(`${name}, ${((vram ?? 0) / 1024).toFixed(1)} GiB of its own memory`));
  if (nvidia.length === 0)
    findings.push(
      note("no NVIDIA GPU: models run on the processor; a 12B model answers in many seconds there"),
    );
  return findings;
}

/** What the governor can go by here. */
async function sensors({ governor, feeds: configured }: Config): Promise<Finding[]> {
  const box = createSensors({ clock: systemClock, logger: silentLogger, pids: () => [] });
  try {
    await box.start(new AbortController().signal);
    const { zones, memories, throttling, distrusted } = box.latest();
    const simulated = configured.length > 0 && configured.every(({ source }) => source.startsWith("sim:"));
    const percent = Math.round(100 * governor.safe);
    return [
      ...zones.map(({ id, celsius, limit }) =>
        ok(`${id}: ${celsius.toFixed(1)} °C${limit === null ? "" : `, slows down at ${limit} °C`}`),
      ),
      ...(zones.length > 0
        ? []
        : [
            note(
              simulated
                ? "no temperature can be read here; with simulated feeds only, a simulated box stands in"
                : `no temperature can be read here: the model works ${percent}% of the time at most (governor.safe)`,
            ),
          ]),
      ...memories.map(({ id, total, free }) =>
        ok(`${id}: ${(free / GIGABYTE).toFixed(1)} of ${(total / GIGABYTE).toFixed(1)} GB free`),
      ),
      ...throttling.map((why) => note(`the hardware slows itself down: ${why}`)),
      ...distrusted.map(({ sensor, reason }) => note(`${sensor} is not believed: ${reason}`)),
    ];
  } finally {
    await box.stop();
  }
}

async function tools(config: Config): Promise<Finding[]> {
  const { engine } = config;
  const binary = engine.binary ?? join(packageRoot, "build/engine/llama-server");
  const [ffmpeg, setpriv] = await Promise.all([
    versionOf("ffmpeg", "-version"),
    versionOf("setpriv", "--version"),
  ]);
  return [
    ok(`Node ${process.versions.node}`),
    ffmpeg === undefined
      ? fault(
          "ffmpeg is missing: cameras and files cannot be read; run npm run setup, or apt-get install ffmpeg",
        )
      : ok(ffmpeg),
    setpriv === undefined
      ? note("setpriv is missing: if Perch is killed its engine may stay behind; apt-get install util-linux")
      : ok(setpriv),
    existsSync(binary)
      ? ok(`engine ${binary}`)
      : (isElsewhere(config) ? note : fault)(`the engine is not built (${binary}): run npm run setup`),
  ];
}

async function versionOf(command: string, flag: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(command, [flag], { timeout: 5000 });
    return stdout.split("\n")[0]?.split(" Copyright")[0];
  } catch {
    // Not there, or not to be run: either way it is of no use.
    return undefined;
  }
}

async function model({ engine }: Config, store: ModelStore): Promise<Finding[]> {
  try {
    const ladder = store.ladder(engine.ladder);
    const level = store.level(ladder, engine.level);
    return [note(ladder.title), ...(await levelFiles(store, ladder, level, true))];
  } catch (error) {
    return [fault(messageOf(error))];
  }
}

async function otherModels({ engine }: Config, store: ModelStore): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const ladder of store.ladders.filter(({ id }) => id !== engine.ladder)) {
    const [level] = ladder.levels;
    if (!level) continue;
    const needed = ((level.text.bytes + level.mmproj.bytes) * 1.15) / GIGABYTE;
    const fits =
      needed < totalmem() / GIGABYTE
        ? "its memory is there"
        : `it needs about ${needed.toFixed(1)} GB of memory`;
    const files = await levelFiles(store, ladder, level, false);
    const present = files.every(({ mark }) => mark === "ok");
    findings.push(
      note(
        `${ladder.id}: ${present ? "files are here and right" : `files are not in ${store.folder(ladder)}`}, ${fits}`,
      ),
    );
  }
  return findings;
}

async function levelFiles(
  store: ModelStore,
  ladder: Ladder,
  level: Level,
  needed: boolean,
): Promise<Finding[]> {
  const folder = store.folder(ladder);
  const findings: Finding[] = [];
  for (const role of ["text", "mmproj"] as const) {
    try {
      const path = await store.verifyFile(level[role], folder, role);
      findings.push(
        ok(`${level.id} ${role}: ${path}, ${(level[role].bytes / 1e6).toFixed(1)} MB, sha256 right`),
      );
    } catch (error) {
      findings.push((needed ? fault : note)(messageOf(error)));
    }
  }
  return findings;
}

/** Whether the devices that the feeds name are there and may be opened, and which others there are. */
function feeds({ feeds: configured }: Config): Finding[] {
  const findings = configured.map(({ id, source }) => {
    if (source.startsWith("v4l2:")) return device(id, source.slice("v4l2:".length), "video");
    if (source.startsWith("alsa:")) return device(id, "/dev/snd", "audio");
    if (source.startsWith("file:") && !existsSync(source.slice("file:".length))) {
      return fault(`${id}: there is no file ${source.slice("file:".length)}`);
    }
    return ok(`${id}: ${source}`);
  });
  const cameras = existsSync("/dev") ? readdirSync("/dev").filter((name) => /^video\d+$/.test(name)) : [];
  findings.push(
    note(
      cameras.length > 0
        ? `cameras here: ${cameras.map((name) => `v4l2:/dev/${name}`).join(", ")}`
        : "no camera on this box (/dev/video*)",
    ),
  );
  if (!existsSync("/dev/snd")) findings.push(note("no sound device on this box (/dev/snd)"));
  return findings;
}

function device(id: string, path: string, group: string): Finding {
  if (!existsSync(path)) return fault(`${id}: there is no ${path}; is the device plugged in?`);
  try {
    accessSync(path, constants.R_OK);
    return ok(`${id}: ${path}`);
  } catch {
    // The one reason why a device that is there cannot be read.
    return fault(
      `${id}: ${path} may not be opened: add this user to the group ${group} (usermod -aG ${group} USER)`,
    );
  }
}

/** Looks only: a folder made here would belong to whoever asks, and not to the service. */
function dataFolder({ data }: Config): Finding[] {
  const folder = existing(data);
  const what = folder === data ? data : `${data} can be made: ${folder}`;
  try {
    if (!statSync(folder).isDirectory()) return [fault(`${folder} is no folder`)];
    accessSync(folder, constants.W_OK | constants.X_OK);
    return [ok(`${what} can be written`)];
  } catch (error) {
    return [fault(`${data} cannot be written: ${messageOf(error)}`)];
  }
}

/** The folder itself, or the deepest above it that is there. */
function existing(folder: string): string {
  const parent = dirname(folder);
  return existsSync(folder) || parent === folder ? folder : existing(parent);
}
