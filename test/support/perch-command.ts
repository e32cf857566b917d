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

/** `perch …` as a person types it in a folder. */
export const perchIn = (folder: string, ...words: string[]): Promise<Outcome> =>
  perchTold(folder, "", ...words);

/** `perch …` with a text on its standard input. */
export function perchTold(folder: string, input: string, ...words: string[]): Promise<Outcome> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    const options = { cwd: folder, env, timeout: 50_000 };
    execFile(process.execPath, perchArguments(...words), options, done).stdin?.end(input);
  });
}
