#!/usr/bin/env node
// npm run build: the service alone, where its source changed. Set-up does the same as its last step.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./command.mjs";
import { lockSetup } from "./lock.mjs";
import { Progress } from "./progress.mjs";
import { serviceBuild } from "./service-build.mjs";
import { Stamps } from "./stamps.mjs";

const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "..", "..");
const progress = new Progress();
const step = serviceBuild({ root, stamps: new Stamps(root) });
try {
  await lockSetup(root, (text) => progress.line(text));
  if (!step.fresh()) await progress.step(step.title, step.hint, () => step.run());
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`${[...error.output, `build: ${error.message}`, error.advice ?? ""].join("\n")}\n`);
  process.exit(1);
}
