import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run, SetupError } from "./command.mjs";
import { fileKey, keyOf } from "./stamps.mjs";

const NPM_ADVICE = "npm's registry has to be reachable for this step; start again once it is.";
const ADDON_ADVICE =
  "For Node 20 it is downloaded prebuilt from GitHub, or compiled with g++, make and python3 against Node's headers; Node 22 needs neither.";
/** better-sqlite3 for a Node before Node-API 10, which compiles; the newer one comes compiled. As service/kernel/sqlite.ts has it. */
const OLD_SQLITE = "better-sqlite3-node20";
const OLD_NODE = Number(process.versions.napi) < 10;
const SQLITE = OLD_NODE ? OLD_SQLITE : "better-sqlite3";

/** npm packages exactly as package-lock.json has them, none of their install scripts run. */
export function npmPackages({ root, stamps, production }) {
  const key = keyOf("packages", fileKey(join(root, "package-lock.json")), process.arch, production);
  return {
    title: "npm packages",
    hint: "downloading",
    fresh: () => stamps.matches("packages", key) && existsSync(hiddenLock(root)),
    // Somebody ran npm themselves: what lies there is taken over instead of downloaded again.
    adopt: () => installedAsLocked(root, production) && stamps.write("packages", key),
    async run() {
      stamps.remove("packages");
      stamps.remove("addons");
      const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
      await run("npm", production ? [...args, "--omit=dev"] : args, { cwd: root, advice: NPM_ADVICE });
      stamps.write("packages", key);
      return "npm packages installed";
    },
  };
}

/** The install scripts that package.json approves: on Node 20 better-sqlite3 compiles for about a minute. */
export function nativeAddons({ root, stamps }) {
  // Another major version of Node has another binary interface; only this step is repeated then.
  const key = keyOf(
    "addons",
    fileKey(join(root, "package-lock.json")),
    process.versions.modules,
    process.arch,
  );
  return {
    title: "native modules",
    hint: OLD_NODE
      ? "better-sqlite3 compiles for about a minute where no prebuilt file can be downloaded"
      : "looking whether they load",
    fresh: () => stamps.matches("addons", key) && sqliteBuilt(root),
    adopt: () => sqliteLoads(root) && stamps.write("addons", key),
    async run() {
      stamps.remove("addons");
      const present = approvedScripts(root).filter((name) => existsSync(join(root, "node_modules", name)));
      if (present.length > 0) await run("npm", ["rebuild", ...present], { cwd: root, advice: ADDON_ADVICE });
      if (!sqliteLoads(root))
        throw new SetupError("better-sqlite3 is there, but does not load", { advice: ADDON_ADVICE });
      stamps.write("addons", key);
      return `native modules built: ${present.join(", ") || "none needed"}`;
    },
  };
}

const hiddenLock = (root) => join(root, "node_modules", ".package-lock.json");
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

function approvedScripts(root) {
  const { allowScripts = {} } = readJson(join(root, "package.json"));
  return Object.keys(allowScripts).filter(
    (name) => allowScripts[name] === true && (OLD_NODE || name !== OLD_SQLITE),
  );
}

/**
 * Whether node_modules holds every package of the lock file in its version (optional ones may be absent).
 * npm's own list of what is there is written last, so it proves that nothing was cut off; but it also lists
 * packages that were only locked, so each is looked at.
 */
function installedAsLocked(root, production) {
  if (!existsSync(hiddenLock(root))) return false;
  const { "": _root, ...locked } = readJson(join(root, "package-lock.json")).packages;
  const installed = readJson(hiddenLock(root)).packages;
  return Object.entries(locked).every(([path, wanted]) => {
    const description = join(root, path, "package.json");
    if (!installed[path] || !existsSync(description))
      return wanted.optional || wanted.devOptional || (production && wanted.dev);
    return wanted.link || readJson(description).version === wanted.version;
  });
}

const sqliteFolder = (root) => join(root, "node_modules", SQLITE);
const sqliteBuilt = (root) =>
  !OLD_NODE ||
  !existsSync(sqliteFolder(root)) ||
  existsSync(join(sqliteFolder(root), "build/Release/better_sqlite3.node"));

function sqliteLoads(root) {
  if (!existsSync(sqliteFolder(root))) return true;
  const probe = `new (require('${SQLITE}'))(':memory:').close()`;
  return spawnSync(process.execPath, ["-e", probe], { cwd: root, stdio: "ignore" }).status === 0;
}
