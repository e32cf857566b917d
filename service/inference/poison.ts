import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, iso } from "../kernel/clock.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { EngineStamp, Prompt } from "./engine.ts";

export interface Poison {
  readonly id: number;
  readonly prompt: Prompt;
  /** Why the engine ended, each time. */
  readonly deaths: readonly string[];
  readonly stamp: EngineStamp;
}

/** Inputs that are kept; older ones are removed. */
const KEPT = 20;

/** Keeps the input under `data`/poison and makes the error that says where. Never throws. */
export async function poisonFault(
  poison: Poison,
  { data, clock, logger }: { readonly data: string; readonly clock: Clock; readonly logger: Logger },
): Promise<PerchError> {
  const kept = await keepPoison(join(data, "poison"), clock.now(), poison).then(
    (place) => `its input is kept in ${place}`,
    (error: unknown) => `its input could not be kept: ${messageOf(error)}`,
  );
  const fault = new PerchError(
    "ENGINE_POISON",
    `the engine failed twice under this request, which is not asked again; ${kept} (${poison.deaths.at(-1)})`,
  );
  logger.error({ part: "inference" }, fault.message);
  return fault;
}

/**
 * Keeps an input under which the engine died twice, so that somebody can look at it: prompt.json,
 * image-1.jpg and so on, sound.wav and reason.txt in a folder of their own under `folder`, the newest 20. Resolves
 * to that folder.
 */
async function keepPoison(folder: string, at: number, poison: Poison): Promise<string> {
  const { id, prompt, deaths, stamp } = poison;
  // Names sort by time.
  const place = join(folder, `${iso(at).replaceAll(":", "-")}-${String(id).padStart(6, "0")}`);
  await mkdir(place, { recursive: true, mode: 0o700 });
  const { images = [], audio, ...rest } = prompt;
  const names = images.map((_, index) => `image-${index + 1}.jpg`);
  const described = {
    ...rest,
    images: names,
    ...(audio && { audio: "sound.wav" }),
    ...stamp,
  };
  await writeFile(join(place, "prompt.json"), `${JSON.stringify(described, null, 2)}\n`);
  for (const [index, image] of images.entries()) await writeFile(join(place, names[index] ?? ""), image);
  if (audio) await writeFile(join(place, "sound.wav"), audio);
  const tries = deaths.map((reason, index) => `Try ${index + 1}: ${reason}`);
  await writeFile(
    join(place, "reason.txt"),
    `The engine failed under this question twice, the second time with nothing beside it.\nIt is not asked again.\n\n${tries.join("\n")}\n`,
  );
  const all = (await readdir(folder)).toSorted();
  for (const old of all.slice(0, -KEPT)) await rm(join(folder, old), { recursive: true, force: true });
  return place;
}
