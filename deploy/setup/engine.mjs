import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { run, SetupError } from "./command.mjs";
import { fileKey, keyOf } from "./stamps.mjs";

const RUNTIME = "node-llama-cpp";
/** Memory that one compiler takes at llama.cpp's largest files. */
const COMPILER_BYTES = 1e9;

/**
 * llama-server with image and audio input, in build/engine: from the llama.cpp source that node-llama-cpp
 * ships, linked to the runtime libraries that it ships prebuilt. On a Jetson, for which there are no
 * prebuilt CUDA libraries, all of llama.cpp is compiled.
 */
export function engine({ root, stamps, gpu }) {
  const recipe = join(root, "deploy", "engine", "CMakeLists.txt");
  const patch = join(root, "deploy", "engine", "notice-gone-clients.patch");
  const files = [recipe, patch].map(fileKey);
  const key = () => keyOf("engine", lockedVersion(root), ...files, process.arch, gpu.kind, gpu.architecture);
  const target = join(root, "build", "engine");
  return {
    title: "engine",
    hint: "building llama-server; minutes, once",
    fresh: () => stamps.matches("engine", key()) && existsSync(join(target, "llama-server")),
    adopt: () => false,
    async run(note) {
      stamps.remove("engine");
      // All happens beside the engine that may be there and running; only a finished one takes its place.
      const work = join(root, "build", "engine.partial");
      removeFolder(work);
      mkdirSync(work, { recursive: true });
      const source = join(work, "source");
      await cloneSource(root, source);
      await run("git", ["-C", source, "apply", patch], {
        advice: "The patch is for the source of another node-llama-cpp: npm ci brings the right one.",
      });
      const made =
        gpu.kind === "jetson"
          ? await buildWhole(work, source, gpu.architecture, note)
          : await buildOnRuntime(root, work, source, recipe, gpu, note);
      await run(join(made, "llama-server"), ["--version"], {
        advice: "The engine was built, but does not start.",
      });
      if (existsSync(target)) renameSync(target, join(work, "old"));
      renameSync(made, target);
      removeFolder(work);
      stamps.write("engine", key());
      return gpu.kind === "none" ? "engine built" : `engine built for the NVIDIA GPU${cudaGap(gpu)}`;
    },
  };
}

/** The source comes as a git bundle inside the package: no network is needed. */
export async function cloneSource(root, source) {
  const bundle = join(root, "node_modules", RUNTIME, "llama", "gitRelease.bundle");
  await run("git", ["-c", "advice.detachedHead=false", "clone", "--quiet", bundle, source]);
}

async function buildOnRuntime(root, work, source, recipe, gpu, note) {
  const bins =
    gpu.kind === "nvidia"
      ? await fetchCudaRuntime(root, work, note)
      : join(root, "node_modules", `@${RUNTIME}`, `linux-${process.arch}`, "bins", `linux-${process.arch}`);
  if (!existsSync(bins))
    throw new SetupError(`the prebuilt runtime is missing: ${bins}`, {
      advice: "npm left out optional packages; remove node_modules and start again without --omit=optional.",
    });
  const project = join(work, "project");
  mkdirSync(project);
  cpSync(recipe, join(project, "CMakeLists.txt"));
  const objects = join(work, "objects");
  await configure(project, objects, [`-DSRC=${source}`, `-DBINS=${bins}`]);
  await compile(objects, [], note);
  const made = join(work, "engine");
  await run("cmake", ["--install", objects, "--prefix", made]);
  return made;
}

/** The CUDA flavour of the same runtime: too large to download where there is no GPU (package.json, overrides). */
async function fetchCudaRuntime(root, work, note) {
  note("downloading the CUDA runtime");
  const name = `@${RUNTIME}/linux-x64-cuda@${lockedVersion(root)}`;
  const advice = "PERCH_GPU=off npm run setup builds the engine for the processor alone.";
  await run("npm", ["pack", "--silent", "--pack-destination", work, name], { cwd: work, advice });
  const archive = readdirSync(work).find((file) => file.endsWith(".tgz"));
  await run("tar", ["-xzf", join(work, archive), "-C", work], { advice });
  return join(work, "package", "bins", "linux-x64-cuda");
}

/** ggml passes silently over a back end whose libraries it cannot load, so set-up says what is missing. */
function cudaGap(gpu) {
  if (gpu.kind !== "nvidia") return "";
  const known = spawnSync("ldconfig", ["-p"], {
    encoding: "utf8",
    env: { PATH: "/usr/sbin:/sbin:/usr/bin:/bin" },
  });
  const missing = ["libcudart.so.13", "libcublas.so.13"].filter((name) => !known.stdout?.includes(name));
  return missing.length > 0 ? `; it will not use it without ${missing.join(" and ")} (docs/hardware.md)` : "";
}

async function buildWhole(work, source, architecture, note) {
  const objects = join(work, "objects");
  const options = ["-DGGML_CUDA=ON", `-DCMAKE_CUDA_ARCHITECTURES=${architecture}`, "-DLLAMA_CURL=OFF"];
  const beside = ["-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", "-DCMAKE_INSTALL_RPATH=$ORIGIN"];
  const parts = ["-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=ON"];
  await configure(source, objects, [...options, ...beside, ...parts], cudaEnvironment());
  await compile(objects, ["--target", "llama-server"], note, cudaEnvironment());
  return join(objects, "bin");
}

/** JetPack puts nvcc where no PATH looks. */
function cudaEnvironment() {
  return existsSync("/usr/local/cuda/bin/nvcc") ? { PATH: `${process.env.PATH}:/usr/local/cuda/bin` } : {};
}

export async function configure(project, objects, options, env) {
  await run("cmake", ["-S", project, "-B", objects, "-DCMAKE_BUILD_TYPE=Release", ...options], {
    env,
    advice: "A compiler or the CUDA toolkit is missing; the lines above say which.",
  });
}

export async function compile(objects, more, note, env) {
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / COMPILER_BYTES)));
  const onLine = (line) => {
    const percent = /^\[ *(\d+)%\]/.exec(line)?.[1];
    if (percent) note(`${percent} %`);
  };
  await run("cmake", ["--build", objects, "--parallel", String(jobs), ...more], { env, onLine });
}

export function lockedVersion(root) {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return lock.packages[`node_modules/${RUNTIME}`]?.version;
}

function removeFolder(path) {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
