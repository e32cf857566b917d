import { readFileSync } from "node:fs";

/** Where llama-server listens and the key it wants, as the process itself was given them. */
export function whereabouts(pid: number): {
  target: { socketPath: string };
  headers: { authorization: string };
} {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
  const socketPath = read("cmdline").find((word) => word.endsWith(".sock"));
  const key = read("environ").find((line) => line.startsWith("LLAMA_API_KEY="));
  if (socketPath === undefined || key === undefined)
    throw new Error(`cannot see where process ${pid} listens`);
  return {
    target: { socketPath },
    headers: { authorization: `Bearer ${key.slice("LLAMA_API_KEY=".length)}` },
  };
}
