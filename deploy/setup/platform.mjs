import { existsSync, readFileSync } from "node:fs";
import { SetupError } from "./command.mjs";

const OLDEST = [20, 20];

/** Refuses what Perch was never built for, before anything is downloaded. */
export function checkPlatform({ platform, arch, versions } = process) {
  const [major, minor] = versions.node.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new SetupError(`Node ${versions.node} is too old: Perch needs ${OLDEST.join(".")} or newer`, {
      advice: "Install Node 20, 22 or 24, e.g. from https://nodejs.org/en/download",
    });
  if (platform !== "linux" || !["x64", "arm64"].includes(arch))
    throw new SetupError(`Perch runs on Linux on x64 or arm64; this is ${platform} on ${arch}`);
}

/**
 * The NVIDIA GPU of this machine, told from files only: nvidia-smi takes a second, and every start asks.
 * PERCH_GPU=off builds the engine for the processor alone, PERCH_GPU=nvidia for a GPU that is elsewhere (images).
 */
export function findGpu(env = process.env) {
  if (env.PERCH_GPU === "off") return { kind: "none" };
  if (env.PERCH_GPU === "nvidia" && process.arch === "x64") return { kind: "nvidia" };
  if (existsSync("/etc/nv_tegra_release")) return { kind: "jetson", architecture: jetsonArchitecture() };
  if (!existsSync("/dev/nvidia0")) return { kind: "none" };
  return process.arch === "x64" ? { kind: "nvidia" } : { kind: "jetson", architecture: "native" };
}

/** CUDA architecture of a Jetson, from the name in its device tree. */
function jetsonArchitecture() {
  const file = "/proc/device-tree/model";
  const model = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (model.includes("Thor")) return "110";
  if (model.includes("Orin")) return "87";
  return "native";
}
