import { SAMPLE_RATE } from "../contract/media.ts";
import { wavOf } from "./media-check.ts";
import { GREY } from "./probe.ts";
import { RemoteFault, type RemoteFaultKind } from "./remote-fault.ts";
import { ABILITIES, type Ability } from "./remote-request.ts";

/** What a server can: `true`, or why not. */
export type Abilities = Readonly<Record<Ability, true | string>>;

/** Puts a chat to the server and gives what it wrote. Throws RemoteFault. */
export type Put = (chat: object) => Promise<string>;

interface Probe {
  readonly content: unknown;
  readonly more?: object;
  /** Why what it wrote shows that it cannot after all. */
  readonly fault?: (text: string) => string | undefined;
}

const QUESTION = { type: "text", text: "Say ok." } as const;
/** Seconds of sound. */
const HUM = 0.2;

/** Tiny requests, each of which only a server answers that has the ability. */
const PROBES: Record<Ability, () => Probe> = {
  image: () => ({
    content: [
      { type: "image_url", image_url: { url: `data:image/jpeg;base64,${GREY.toString("base64")}` } },
      QUESTION,
    ],
  }),
  audio: () => ({
    content: [
      { type: "input_audio", input_audio: { format: "wav", data: hum().toString("base64") } },
      QUESTION,
    ],
  }),
  schema: () => ({
    content: QUESTION.text,
    more: {
      // With all the white space that a server may allow.
      max_tokens: 256,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "answer",
          strict: true,
          schema: {
            type: "object",
            properties: { ready: { type: "boolean" } },
            required: ["ready"],
            additionalProperties: false,
          },
        },
      },
    },
    fault: (text) =>
      /^\{\s*"ready"\s*:\s*(true|false)\s*\}$/.test(text.trim())
        ? undefined
        : "it takes a schema and does not hold its answer to it",
  }),
  tools: () => ({
    content: QUESTION.text,
    more: {
      tools: [
        {
          type: "function",
          function: {
            name: "look",
            description: "Looks.",
            parameters: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
          },
        },
      ],
      tool_choice: "auto",
    },
  }),
};

/** A fifth of a second of a low tone: silence is cut out by some servers before it is heard. */
function hum(): Buffer {
  const samples = Int16Array.from({ length: SAMPLE_RATE * HUM }, (_, index) =>
    Math.round(4000 * Math.sin((2 * Math.PI * 220 * index) / SAMPLE_RATE)),
  );
  return wavOf(samples);
}

/** What a server says of a request that it has no ability for; its other faults say nothing of that. */
const NO: readonly RemoteFaultKind[] = ["refused", "cannot", "senseless", "denied"];
/** A probe under which a server failed so often is not put to it again. */
const MOST_BROKEN = 2;

/** Finds out what one server can, each time that it comes back. */
export class RemoteProbe {
  /** How often the server failed under each. */
  private readonly broken = new Map<Ability, number>();

  /**
   * Whether it answers at all, and to which fields. Throws the RemoteFault of a server that does not.
   */
  async template(put: (chat: object, template: boolean) => Promise<string>): Promise<boolean> {
    try {
      await put(chatOf({ content: QUESTION.text }), true);
      return true;
    } catch (error) {
      if (!(error instanceof RemoteFault) || error.kind !== "refused") throw error;
      // A strict server refuses a field that it does not know.
      await put(chatOf({ content: QUESTION.text }), false);
      return false;
    }
  }

  /** Throws the RemoteFault of a server that fails under it, or goes. */
  async abilities(put: Put): Promise<Abilities> {
    const found: Record<Ability, true | string> = { image: "", audio: "", schema: "", tools: "" };
    for (const ability of ABILITIES) found[ability] = await this.ability(ability, put);
    return found;
  }

  private async ability(ability: Ability, put: Put): Promise<true | string> {
    const times = this.broken.get(ability) ?? 0;
    if (times >= MOST_BROKEN) return `it failed ${times} times when it was tried`;
    const probe = PROBES[ability]();
    try {
      const text = await put(chatOf(probe));
      return probe.fault?.(text) ?? true;
    } catch (error) {
      if (!(error instanceof RemoteFault)) throw error;
      if (NO.includes(error.kind)) return error.message.replace(/^the engine refused the request: /, "");
      // llama-server says by a 500 that it has no eyes or ears, and lives on.
      if (error.kind !== "broken") throw error;
      const said = /^it answered HTTP 500: (.+)/.exec(error.message)?.[1];
      if (said !== undefined) return said;
      this.broken.set(ability, times + 1);
      throw error;
    }
  }
}

const chatOf = ({ content, more }: Probe): object => ({
  messages: [{ role: "user", content }],
  temperature: 0,
  max_tokens: 4,
  chat_template_kwargs: { enable_thinking: false },
  ...more,
});

/** Names go into headers as they are. */
const NAME = /^[\x20-\x7e]{1,200}$/;

/**
 * The model to ask for by what GET /v1/models answered: the wanted one where it is listed, else the first, and whether
 * llama-server lists it. Throws RemoteFault where there is none.
 */
export function modelIn(text: string, wanted: string | undefined): { model: string; llama: boolean } {
  const models = listed(text).filter(({ id }) => NAME.test(id));
  const found = wanted === undefined ? models[0] : models.find(({ id }) => id === wanted);
  if (found) return { model: found.id, llama: found.owner === "llamacpp" };
  const names = models.map(({ id }) => id);
  throw new RemoteFault(
    "denied",
    names.length === 0
      ? "it lists no model at /v1/models"
      : `it has no model ${wanted}, but ${names.slice(0, 5).join(", ")}`,
  );
}

function listed(text: string): { id: string; owner: unknown }[] {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    return (Array.isArray(data) ? (data as { id?: unknown; owned_by?: unknown }[]) : []).flatMap((card) =>
      typeof card?.id === "string" ? { id: card.id, owner: card.owned_by } : [],
    );
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return [];
    throw error;
  }
}
