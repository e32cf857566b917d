import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { cloneSource, compile, configure, lockedVersion } from "./engine.mjs";
import { fileKey, keyOf } from "./stamps.mjs";

/**
 * llama-quantize beside llama-server, for those who make levels of a model (npm run model:ladder). It is
 * linked against the libraries that lie there, so the engine comes first; a new engine takes it away.
 */
export function quantizer({ root, stamps }) {
  const recipe = join(root, "deploy", "engine", "quantizer", "CMakeLists.txt");
  const engine = join(root, "build", "engine");
  const key = () => keyOf("quantizer", lockedVersion(root), fileKey(recipe));
  return {
    title: "quantizer",
    hint: "building llama-quantize",
    fresh: () => stamps.matches("quantizer", key()) && existsSync(join(engine, "llama-quantize")),
    adopt: () => false,
    async run(note) {
      stamps.remove("quantizer");
      const work = join(root, "build", "quantizer.partial");
      rmSync(work, { recursive: true, force: true });
      mkdirSync(work, { recursive: true });
      const source = join(work, "source");
      await cloneSource(root, source);
      const project = join(work, "project");
      mkdirSync(project);
      cpSync(recipe, join(project, "CMakeLists.txt"));
      const objects = join(work, "objects");
      await configure(project, objects, [`-DSRC=${source}`, `-DENGINE=${engine}`]);
      await compile(objects, [], note);
      await run("cmake", ["--install", objects, "--prefix", engine]);
      rmSync(work, { recursive: true, force: true });
      stamps.write("quantizer", key());
      return "quantizer built";
    },
  };
}
