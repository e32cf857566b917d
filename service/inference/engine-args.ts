import { availableParallelism, freemem } from "node:os";
import type { Ladder, Level } from "../contract/models.ts";

interface Paths {
  readonly text: string;
  readonly mmproj: string;
  /** Socket to listen on; must end in .sock, by which llama-server knows that it is one. */
  readonly socket: string;
}

/** Physical batch that a prompt without a large image is read in, tokens. */
const USUAL_BATCH = 512;
const MIB = 2 ** 20;

/** llama-server's arguments for a level. The API key is not among them: every user can read a process list. */
export function engineArguments(
  level: Level,
  order: Ladder["order"],
  { text, mmproj, socket }: Paths,
): string[] {
  const tokens = imageTokens(level);
  const batch = batchOf(level);
  return [
    ...["--model", text, "--mmproj", mmproj, "--host", socket],
    // Mapped, weights that are packed anew for the processor stay there a second time: 14.9 GB instead of 9.7.
    ...["--load-mode", "none"],
    // The context is shared out among the slots.
    ...["--ctx-size", level.context * level.slots, "--parallel", level.slots],
    ...["--threads", level.threads === 0 ? availableParallelism() : level.threads],
    ...["--gpu-layers", level.gpuLayers === -1 ? "all" : level.gpuLayers],
    ...["--cache-type-k", level.kv, "--cache-type-v", level.kv],
    ...["--batch-size", batch, "--ubatch-size", batch],
    // It leaves a picture alone whose edges are whole patches and whose tokens are within these: every grid.
    ...["--image-min-tokens", tokens.least, "--image-max-tokens", tokens.most],
    // Without the full window a cached prefix is mostly not reused once media are in the prompt.
    "--swa-full",
    ...["--cache-ram", promptCache(level, order)],
    // The level says what to load; llama-server must not make it smaller on its own.
    ...["--fit", "off"],
    ...["--metrics", "--slots", "--no-webui", "--offline"],
    // Warnings and errors only, so that the last lines say why it ended.
    ...["--log-verbosity", 2, "--log-colors", "off"],
  ].map(String);
}

/** Tokens that are read at once: a whole image must fit the physical batch, or llama-server aborts. */
const batchOf = (level: Level): number => Math.max(USUAL_BATCH, Math.ceil(imageTokens(level).most / 64) * 64);

/** What of these arguments decides how much memory a level takes: tokens a batch, and bytes. */
export const engineShape = (level: Level, order: Ladder["order"]) => ({
  batch: batchOf(level),
  promptCache: promptCache(level, order) * MIB,
});

/**
 * RAM for prompts that lost their slot, MiB; llama-server's own 8192 would be all of a small box. With
 * the question first it lets watches that take turns find their prefix again (four on two slots: 84 % of
 * the prompt cached instead of 4, twice the requests a second). A token takes more of it the larger the
 * model is. With the media first every prompt begins anew, and none is worth keeping.
 */
export function promptCache(level: Level, order: Ladder["order"]): number {
  if (order === "media-first") return 0;
  const wanted = Math.max(64, level.text.bytes / 4 / MIB);
  return Math.round(Math.min(2048, freemem() / 8 / MIB, wanted));
}

/** Environment of llama-server: readable by its own user only, as its memory is. */
export const engineEnvironment = (apiKey: string): NodeJS.ProcessEnv => ({
  LLAMA_API_KEY: apiKey,
  // Spinning waits starve a busy neighbour: 8 instead of 54 tokens a second were measured.
  OMP_WAIT_POLICY: "passive",
  // An abort shall end it at once, not after a debugger was looked for.
  GGML_NO_BACKTRACE: "1",
});

/** The fewest and the most tokens that one image takes. */
export function imageTokens({ image }: Pick<Level, "image">): { least: number; most: number } {
  if (image.kind === "budget") return { least: Math.min(image.tokens, 70), most: image.tokens };
  const tokens = image.grids.map(({ columns, rows }) => columns * rows);
  return { least: Math.min(...tokens), most: Math.max(...tokens) };
}
