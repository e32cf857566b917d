#!/usr/bin/env node
// Brings a fresh clone to where `node dist/service/main.js` works: system packages, npm packages, the
// engine and the service itself. Plain Node without dependencies, for it runs before there are any.
// What is done is not done again, so every start goes through here; it then takes a few hundredths of a second.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { endCommands, SetupError } from "./command.mjs";
import { engine } from "./engine.mjs";
import { lockSetup } from "./lock.mjs";
import { nativeAddons, npmPackages } from "./node-modules.mjs";
import { checkPlatform, findGpu } from "./platform.mjs";
import { Progress } from "./progress.mjs";
import { quantizer } from "./quantizer.mjs";
import { serviceBuild } from "./service-build.mjs";
import { Stamps } from "./stamps.mjs";
import { installer, missingPackages } from "./system-packages.mjs";

const USAGE = `Usage: npm run setup -- [options]
  --for-tests        also what the tests need: mosquitto, espeak-ng, GStreamer, openssl
  --with-quantizer   also llama-quantize, which makes a model's levels
  --production       only what runs: no packages for development, the service itself is not built
  --no-install       never install system packages; say what is missing instead`;

const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "..", "..");
const progress = new Progress();

for (const [signal, code] of [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
])
  process.once(signal, () => {
    endCommands();
    progress.clear();
    process.exit(code);
  });

try {
  await setUp(readOptions());
} catch (error) {
  complain(error);
  process.exit(1);
}

async function setUp({ forTests, withQuantizer, production, mayInstall }) {
  checkPlatform();
  const begun = Date.now();
  const place = { root, production, stamps: new Stamps(root), gpu: findGpu() };
  const packages = npmPackages(place);
  const afterwards = [nativeAddons(place), engine(place), ...(production ? [] : [serviceBuild(place)])];
  const atLast = withQuantizer ? [quantizer(place)] : [];
  const stale = () => [packages, ...afterwards, ...atLast].filter((step) => !step.fresh());
  const missing = missingPackages({ building: stale().length > 0, forTests });
  if (missing.length === 0 && stale().length === 0) return;

  const install = missing.length > 0 ? installer(missing, { mayInstall }) : () => undefined;
  await lockSetup(root, (text) => progress.line(text));
  await install(progress);
  await perform(packages);
  // The engine takes one core's minutes and better-sqlite3 another's: they need nothing of each other.
  // Where one fails the others still end, so that what they did is not lost.
  const results = await Promise.all(afterwards.map((step) => perform(step).then(() => true, complain)));
  if (results.includes(false)) process.exit(1);
  for (const step of atLast) await perform(step);
  if (Date.now() - begun > 1000) progress.line(`done in ${Math.round((Date.now() - begun) / 1000)} s`);
}

function complain(error) {
  if (!(error instanceof SetupError)) throw error;
  progress.clear();
  const advice = error.advice ? [error.advice] : [];
  process.stderr.write(`${[...error.output, `set-up: ${error.message}`, ...advice].join("\n")}\n`);
  return false;
}

async function perform(step) {
  if (step.fresh() || step.adopt()) return;
  await progress.step(step.title, step.hint, (note) => step.run(note));
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        "for-tests": { type: "boolean", default: false },
        "with-quantizer": { type: "boolean", default: false },
        production: { type: "boolean", default: false },
        "no-install": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(`${USAGE}\n`);
      process.exit(0);
    }
    return {
      forTests: values["for-tests"],
      withQuantizer: values["with-quantizer"],
      production: values.production,
      mayInstall: !values["no-install"],
    };
  } catch (error) {
    throw new SetupError(error.message, { advice: USAGE });
  }
}
