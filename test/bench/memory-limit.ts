import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A control group in which processes may take no more than so many bytes of RAM. Needs root. */
export class MemoryLimit {
  private readonly group: string;

  /** Throws where this machine's control groups cannot be used. */
  constructor(bytes: number) {
    const lines = readFileSync("/proc/self/cgroup", "utf8").split("\n");
    const first = lines.find((line) => line.split(":")[1] === "memory");
    const place = (first ?? lines.find((line) => line.startsWith("0::")) ?? "").split(":")[2] ?? "/";
    const root = first ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
    this.group = join(root, place, `perch-bench-${process.pid}`);
    mkdirSync(this.group, { recursive: true });
    writeFileSync(join(this.group, first ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
  }

  /** A program that enters the group and then becomes the given one. Resolves to its path. */
  async wrapped(binary: string, folder: string): Promise<string> {
    const path = join(folder, "limited-engine");
    await writeFile(path, `#!/bin/sh\necho $$ > "${this.group}/cgroup.procs" && exec "${binary}" "$@"\n`);
    await chmod(path, 0o755);
    return path;
  }

  /** Once nothing runs in it any more. */
  remove(): void {
    rmdirSync(this.group);
  }
}
