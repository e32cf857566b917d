import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run, SetupError } from "./command.mjs";

/** What each Debian package is needed for shows in the file that proves it is there. */
const ALWAYS = [
  { name: "ffmpeg", program: "ffmpeg" },
  { name: "util-linux", program: "setpriv" },
];
const TO_BUILD = [
  { name: "cmake", program: "cmake" },
  { name: "g++", program: "g++" },
  { name: "make", program: "make" },
  { name: "git", program: "git" },
  // On Node 20 node-gyp compiles better-sqlite3 where no prebuilt file can be downloaded.
  { name: "python3", program: "python3" },
];
const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const TO_TEST = [
  { name: "mosquitto", program: "mosquitto" },
  { name: "espeak-ng", program: "espeak-ng" },
  { name: "openssl", program: "openssl" },
  { name: "strace", program: "strace" },
  { name: "gstreamer1.0-plugins-base", file: `/usr/lib/${triplet}/gstreamer-1.0/libgstvideotestsrc.so` },
  { name: "gstreamer1.0-plugins-good", file: `/usr/lib/${triplet}/gstreamer-1.0/libgstrtp.so` },
  { name: "gstreamer1.0-plugins-ugly", file: `/usr/lib/${triplet}/gstreamer-1.0/libgstx264.so` },
  {
    name: "gir1.2-gst-rtsp-server-1.0",
    file: `/usr/lib/${triplet}/girepository-1.0/GstRtspServer-1.0.typelib`,
  },
  { name: "python3-gi", file: "/usr/lib/python3/dist-packages/gi/__init__.py" },
];

/** Names of the Debian packages that are not there, told from their files: dpkg is never asked. */
export function missingPackages({ building, forTests }) {
  const wanted = [...ALWAYS, ...(building ? TO_BUILD : []), ...(forTests ? TO_TEST : [])];
  return wanted
    .filter(({ program, file }) => !(file ? existsSync(file) : onPath(program)))
    .map((p) => p.name);
}

/** How to install packages with apt as this user; where that may not be, the error says the line that does it. */
export function installer(names, { mayInstall }) {
  const prefix = mayInstall ? aptPrefix() : undefined;
  if (!prefix)
    throw new SetupError(`these system packages are missing: ${names.join(", ")}`, {
      advice: `Install them and start again:\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names.join(" ")}`,
    });
  return (progress) => install(names, prefix, progress);
}

async function install(names, prefix, progress) {
  const [command, ...before] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  const apt = (...args) =>
    run(command, [...before, "-o", "DPkg::Lock::Timeout=120", ...args], {
      advice: `Try it by hand: sudo apt-get install ${names.join(" ")}`,
    });
  const title = `system packages ${names.join(" ")}`;
  await progress.step(title, "installing with apt-get", async () => {
    const wake = holdBack(names, prefix);
    await apt("update", "-qq");
    await apt("install", "-y", "-qq", "--no-install-recommends", ...names);
    wake();
    return `${title} installed`;
  });
}

/** Debian starts mosquitto as a system service once installed; the tests start their own, so it stays off. */
function holdBack(names, prefix) {
  if (!names.includes("mosquitto") || !existsSync("/run/systemd/system")) return () => undefined;
  const systemctl = (...args) => {
    const [command, ...rest] = [...prefix, "systemctl", ...args, "mosquitto.service"];
    spawnSync(command, rest, { stdio: "ignore" });
  };
  systemctl("mask", "--runtime");
  return () => {
    systemctl("disable");
    systemctl("unmask", "--runtime");
  };
}

/** What goes before a command to run it as root: nothing, or sudo that asks no password. */
function aptPrefix() {
  if (!onPath("apt-get")) return undefined;
  if (process.getuid() === 0) return [];
  if (!onPath("sudo")) return undefined;
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : undefined;
}

function onPath(program) {
  // Daemons live in sbin, which an ordinary user's PATH leaves out.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
