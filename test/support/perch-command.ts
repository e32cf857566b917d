import { type ExecFileException, execFile } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../service/kernel/paths.ts";

const TSX = join(packageRoot, "node_modules/tsx/dist/loader.mjs");
const MAIN = join(packageRoot, "service/main.ts");

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Arguments of node that run perch from its sources. */
export const perchArguments = (...words: string[]): string[] => ["--import", TSX, MAIN, ...words];

/** The same of the built service, which begins quicker: what it does is tested, not that it compiles. */
export const builtArguments = (...words: string[]): string[] => [
  join(packageRoot, "dist/service/main.js"),
  ...words,
];

/** `perch …` as a person types it in a folder. */
export const perchIn = (folder: string, ...words: string[]): Promise<Outcome> =>
  told(folder, "", perchArguments(...words));

/** `perch …` with a text on its standard input. */
export const perchTold = (folder: string, input: string, ...words: string[]): Promise<Outcome> =>
  told(folder, input, perchArguments(...words));

/** Runs node in a folder. */
export function told(folder: string, input: string, args: readonly string[]): Promise<Outcome> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    const options = { cwd: folder, env, timeout: 50_000 };
    execFile(process.execPath, args, options, done).stdin?.end(input);
  });
}
