import { createInterface, type Interface } from "node:readline/promises";
import { loadConfig } from "../config/config.ts";
import { isPerchError, messageOf } from "../kernel/errors.ts";
import { printable } from "../terminal.ts";
import { feedMedia } from "./feed-media.ts";
import { audioOf, audioPart, type ContentPart, imageOf, imagePart } from "./media-file.ts";
import { type Model, withModel } from "./model.ts";
import { spoken } from "./spoken.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What the model is told before anything else. */
  readonly system?: string;
  /** Files that the first message takes along. */
  readonly image?: readonly string[];
  readonly audio?: string;
  readonly feed?: readonly string[];
}

interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly ContentPart[];
}

const HELP = `  /image FILE   a picture for the next message (several: one after the other)
  /audio FILE   a sound of at most 30 s for the next message
  /feed ID      what a feed of the running service shows now, or hears in the next 5 s
  /system TEXT  what the model is told before anything else; begins anew
  /new          forget what was said
  /history      show what was said
  /help, /quit  Ctrl-C stops an answer, Ctrl-D ends
`;

/** `perch chat`: talks with the model on a terminal. Resolves to the exit code. */
export async function chat(options: Options): Promise<number> {
  const config = loadConfig(options.config, () => undefined);
  const ended = new AbortController();
  process.once("SIGTERM", () => ended.abort());
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stdout.write("Looking for the model …\n");
  return withModel(config, ended.signal, async (model) => {
    if (terminal) process.stdout.write(`This is ${model.name}. /help shows what else there is.\n`);
    const talk = new Talk(model, terminal, options.system);
    const look = async (id: string) => {
      const { kind, bytes } = await feedMedia(config, id, ended.signal);
      talk.attach(kind === "camera" ? imageOf(bytes, id) : audioOf(bytes, id));
    };
    for (const file of options.image ?? []) talk.attach(imagePart(file));
    if (options.audio !== undefined) talk.attach(audioPart(options.audio));
    for (const id of options.feed ?? []) await look(id);
    const lines = createInterface({
      input: process.stdin,
      ...(terminal && { output: process.stdout }),
      terminal,
    });
    try {
      return await converse({ talk, look }, lines, terminal);
    } finally {
      lines.close();
    }
  });
}

interface Conversation {
  readonly talk: Talk;
  /** Takes along what a feed shows now. */
  look(feed: string): Promise<void>;
}

async function converse(conversation: Conversation, lines: Interface, terminal: boolean): Promise<number> {
  const { talk } = conversation;
  let failed = false;
  lines.on("SIGINT", () => {
    if (!talk.interrupt()) lines.close();
  });
  const prompt = () => {
    if (!terminal) return;
    lines.setPrompt(talk.waiting > 0 ? `[+${talk.waiting}] > ` : "> ");
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    try {
      if (!(await obey(line.trim(), conversation))) return failed ? 1 : 0;
    } catch (error) {
      // A mistake or a fault ends no conversation at a terminal; in a script it must not go unnoticed.
      failed ||= !terminal;
      process.stderr.write(`perch: ${messageOf(error)}\n`);
    }
    prompt();
  }
  if (terminal) process.stdout.write("\n");
  return failed ? 1 : 0;
}

/** Does what a line asks for; false where that is to end. */
async function obey(line: string, { talk, look }: Conversation): Promise<boolean> {
  const [, command, rest = ""] = /^\/(\S+)\s*(.*)$/.exec(line) ?? [];
  switch (command) {
    case undefined:
      if (line !== "") await talk.say(line);
      return true;
    case "image":
      talk.attach(imagePart(fileOf(rest)));
      return true;
    case "audio":
      talk.attach(audioPart(fileOf(rest)));
      return true;
    case "feed":
      if (rest === "") throw new UsageError("which feed?");
      await look(rest);
      return true;
    case "system":
      talk.begin(rest);
      return true;
    case "new":
      talk.begin();
      return true;
    case "history":
      process.stdout.write(talk.history());
      return true;
    case "help":
      process.stdout.write(HELP);
      return true;
    case "quit":
    case "exit":
      return false;
    default:
      throw new UsageError(`there is no /${command}; /help shows what there is`);
  }
}

/** A file's name as it is dragged into a terminal: quoted, or with escaped spaces. */
const fileOf = (rest: string): string => {
  if (rest === "") throw new UsageError("which file?");
  const quoted = /^'(.*)'$|^"(.*)"$/.exec(rest);
  return quoted ? (quoted[1] ?? quoted[2] ?? "") : rest.replace(/\\(.)/g, "$1");
};

class Talk {
  private messages: Message[] = [];
  private parts: ContentPart[] = [];
  private answering: AbortController | undefined;

  constructor(
    private readonly model: Model,
    private readonly terminal: boolean,
    private system = "",
  ) {
    this.begin(system);
  }

  /** Media that the next message takes along. */
  get waiting(): number {
    return this.parts.length;
  }

  begin(system = this.system): void {
    this.system = system;
    this.messages = system === "" ? [] : [{ role: "system", content: system }];
    this.parts = [];
  }

  attach(part: ContentPart): void {
    this.parts.push(part);
  }

  /** Stops the answer under way; false where there is none. */
  interrupt(): boolean {
    if (!this.answering) return false;
    this.answering.abort();
    return true;
  }

  /** Asks, and shows the answer as it comes. What was not answered is not kept. */
  async say(text: string): Promise<void> {
    // Media go first: a model hears badly far into a prompt.
    const content: ContentPart[] = [...this.parts, { type: "text", text }];
    const asked: Message = { role: "user", content };
    const gone = new AbortController();
    this.answering = gone;
    try {
      const body = { model: "perch", stream: true, messages: [...this.messages, asked] };
      let answer = "";
      for await (const piece of spoken(await this.model.chat(body, gone.signal))) {
        answer += piece;
        process.stdout.write(printable(piece));
      }
      process.stdout.write("\n");
      this.messages.push(asked, { role: "assistant", content: answer });
      this.parts = [];
    } catch (error) {
      // What was refused once would be refused with every further message.
      if (isPerchError(error, "REQUEST_INVALID")) this.parts = [];
      if (!gone.signal.aborted) throw error;
      process.stdout.write(this.terminal ? " (stopped)\n" : "\n");
    } finally {
      this.answering = undefined;
    }
  }

  history(): string {
    return this.messages
      .map(
        ({ role, content }) =>
          `${role === "assistant" ? "<" : role === "user" ? ">" : "#"} ${told(content)}\n`,
      )
      .join("");
  }
}

const told = (content: Message["content"]): string =>
  typeof content === "string"
    ? printable(content)
    : content.map((part) => (part.type === "text" ? part.text : `[${part.file}]`)).join(" ");
