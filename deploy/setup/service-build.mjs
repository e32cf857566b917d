import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { fileKey, keyOf, treeKey } from "./stamps.mjs";

/** The service as JavaScript in dist/, made of service/ and device/ where one of their files changed. */
export function serviceBuild({ root, stamps }) {
  const target = join(root, "dist");
  const key = keyOf(
    "service",
    treeKey(root, "service"),
    treeKey(root, "device", (path) => path.endsWith(".ts")),
    fileKey(join(root, "tsconfig.json")),
    fileKey(join(root, "tsconfig.build.json")),
  );
  return {
    title: "service",
    hint: "compiling",
    fresh: () => stamps.matches("service", key) && existsSync(target),
    adopt: () => false,
    async run() {
      stamps.remove("service");
      // At the same depth as dist/, so that source maps point where they should.
      const partial = join(root, "dist.partial");
      const old = join(root, "dist.old");
      for (const folder of [partial, old]) rmSync(folder, { recursive: true, force: true });
      const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
      try {
        await run(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", "dist.partial"], {
          cwd: root,
          advice: "The source does not compile; the lines above say where.",
        });
        if (existsSync(target)) renameSync(target, old);
        renameSync(partial, target);
      } finally {
        for (const folder of [partial, old]) rmSync(folder, { recursive: true, force: true });
      }
      stamps.write("service", key);
      return "service built";
    },
  };
}
