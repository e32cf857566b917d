/**
 * Makes the small model's rungs of an exported model: quantizes what is missing, copies all files to
 * weights/ and writes them into config/models.yaml. `npm run model:ladder -- --help` tells the options.
 */
import { parseArgs } from "node:util";
import { makeLadder } from "./ladder/make-ladder.ts";

const USAGE = `Usage: npm run model:ladder -- [options]
  --from FOLDER         exported files: small-F16.gguf, mmproj-small-F16.gguf, mmproj-small-Q8_0.gguf, …
                        (default build/train/export); missing text levels are quantized into it
  --levels LIST         rungs, best first (default f16,q8_0,q6_k,q4_k_m,q3_k_m,q2_k)
  --default LEVEL       what runs where engine.level names none (default q8_0)
  --small-mmproj TYPE   projectors of the rungs below q6_k: Q8_0 (default) or Q4_0`;

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "build/train/export" },
    levels: { type: "string", default: "f16,q8_0,q6_k,q4_k_m,q3_k_m,q2_k" },
    default: { type: "string", default: "q8_0" },
    "small-mmproj": { type: "string", default: "Q8_0" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(`${USAGE}\n`);
else {
  try {
    await makeLadder({
      from: values.from,
      levels: values.levels.split(","),
      standard: values.default,
      smallMmproj: values["small-mmproj"],
      say: (line) => process.stdout.write(`${line}\n`),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
