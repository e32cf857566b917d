import { OpenAiFault } from "./fault.ts";

const KEPT = "nothing is kept here: send what a request needs with the request";
const ELSEWHERE = "run a server for it beside Perch";

/** What clients of this API commonly ask for beside it, and why it is not there. */
const NOT_HERE: readonly (readonly [path: RegExp, why: string])[] = [
  [
    /^\/v1\/embeddings\b/,
    `the model's engine writes, and one that embeds does nothing else: ${ELSEWHERE}, with a model made for it`,
  ],
  [/^\/v1\/(rerank|reranking)\b/, `the model does not rank texts: ${ELSEWHERE}, with a model made for it`],
  [/^\/v1\/images\b/, "the model looks at pictures and makes none: send them to /v1/chat/completions"],
  [/^\/v1\/audio\/speech\b/, "the model hears and does not speak"],
  [
    /^\/v1\/audio\/translations\b/,
    "use /v1/audio/transcriptions, and have its text translated by /v1/chat/completions",
  ],
  [/^\/v1\/moderations\b/, "nothing is judged here: ask /v1/chat/completions"],
  [/^\/v1\/realtime\b/, "there are no live sessions: use streams of /v1/chat/completions"],
  [/^\/v1\/(responses|conversations|chat\/completions)\/./, KEPT],
  [/^\/v1\/(files|uploads|batches|vector_stores|assistants|threads|containers|evals|fine_tuning)\b/, KEPT],
  [/^\/v1\/messages\/batches\b/, KEPT],
];

/** What an address that is not there is answered. Its clients repeat 501 by themselves, unless told not to. */
export function notHere(method: string, url: string): OpenAiFault {
  const found = NOT_HERE.find(([path]) => path.test(url));
  if (found)
    return new OpenAiFault(501, `Perch has no ${pathOf(url)}: ${found[1]}`, {
      type: "invalid_request_error",
      code: "not_supported",
      final: true,
    });
  return new OpenAiFault(404, `there is no ${method} ${pathOf(url)} here`, { code: "unknown_url" });
}

const pathOf = (url: string): string => (url.split("?")[0] ?? "").slice(0, 100);
