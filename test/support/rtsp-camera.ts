import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("rtsp-camera.py", import.meta.url));

export interface RtspCamera {
  readonly port: number;
  stop(): Promise<void>;
}

/** A real RTSP server (GStreamer's) with a camera at /cam: 320 x 240 at 10 a second, and a tone. Port 0: a free one. */
export async function startRtspCamera(
  scheme: "none" | "basic" | "digest" = "none",
  user = "",
  password = "",
  port = 0,
): Promise<RtspCamera> {
  // The system's Python: only that one has GStreamer's bindings.
  const child = spawn("/usr/bin/python3", [SCRIPT, scheme, user, password, String(port)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const bound = await firstLine(child);
  return {
    port: Number(bound),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      }),
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.stdout?.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the RTSP server ended with code ${code}: ${errors}`)));
  });
}
