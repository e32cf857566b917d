import { readFileSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

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

/** llama-server itself, without the gateway. */
export function bareServer(pid: number) {
  const { target, headers } = whereabouts(pid);
  const send = (method: string, path: string, body?: object): ClientRequest => {
    const sent = request({
      ...target,
      agent: false,
      method,
      path,
      headers: { ...headers, "content-type": "application/json" },
    });
    sent.end(body && JSON.stringify(body));
    return sent;
  };
  const answered = (sent: ClientRequest) =>
    new Promise<string>((resolve, reject) => {
      sent.once("error", reject);
      sent.once("response", (response: IncomingMessage) => text(response).then(resolve, reject));
    });
  /** How many of its slots work. */
  const busy = async () =>
    (JSON.parse(await answered(send("GET", "/slots"))) as { is_processing: boolean }[]).filter(
      ({ is_processing }) => is_processing,
    ).length;
  return { send, answered, busy };
}
