import { Agent, type RequestOptions, request } from "node:http";

/** What the load generator is told to do. */
export interface Load {
  /** Where to, by TCP as any client would. */
  readonly target: Required<Pick<RequestOptions, "host" | "port">>;
  /** Whether it keeps a connection after a stream; llama-server closes it. */
  readonly keeps: boolean;
  readonly headers: Record<string, string>;
  readonly stream: boolean;
  readonly clients: number;
  readonly requests: number;
  /** Makes its prompts others than those of any other load. */
  readonly salt: string;
}

/** What came of it: seconds in all, tokens that were answered, and ms to the first token of each stream. */
export interface Carried {
  readonly seconds: number;
  readonly tokens: number;
  readonly first: number[];
}

/** A process of its own: the gateway's event loop shall not do the clients' work too. */
process.on("message", async (load: Load) => {
  process.send?.(await carry(load));
});

async function carry(load: Load): Promise<Carried> {
  const agent = new Agent({ keepAlive: true, timeout: 2_000 });
  const bodies = Array.from({ length: load.requests }, (_, index) => bodyOf(load, index));
  const first: number[] = [];
  let tokens = 0;
  const begun = performance.now();
  const client = async () => {
    for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
      const answered = await ask(load, body, agent);
      tokens += answered.tokens;
      first.push(answered.first);
    }
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  const seconds = (performance.now() - begun) / 1000;
  agent.destroy();
  return { seconds, tokens, first };
}

/** Twelve numbers of two digits: every answer is equally long, whatever the model would like to say. */
const bodyOf = ({ salt, stream }: Load, index: number): string =>
  JSON.stringify({
    model: "perch",
    messages: [{ role: "user", content: `Count for ${salt} ${String(index).padStart(4, "0")}.` }],
    temperature: 0,
    max_tokens: 80,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
    response_format: {
      type: "json_schema",
      json_schema: {
        name: "numbers",
        schema: {
          type: "array",
          items: { type: "integer", minimum: 10, maximum: 99 },
          minItems: 12,
          maxItems: 12,
        },
      },
    },
  });

function ask(
  { target, keeps, headers, stream }: Load,
  body: string,
  agent: Agent,
): Promise<{ tokens: number; first: number }> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request({
      ...target,
      agent: stream && !keeps ? false : agent,
      method: "POST",
      path: "/v1/chat/completions",
      headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    sent.once("error", reject);
    sent.once("response", (response) => {
      let text = "";
      let first = Number.NaN;
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (Number.isNaN(first) && (!stream || text.includes('"delta":{"content":"')))
          first = performance.now() - begun;
      });
      response.once("error", reject);
      response.once("end", () => {
        const tokens = /"completion_tokens":(\d+)/.exec(text)?.[1];
        if (response.statusCode === 200 && tokens !== undefined) resolve({ tokens: Number(tokens), first });
        else reject(new Error(`HTTP ${response.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    sent.end(body);
  });
}
