import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { Clock } from "../../service/kernel/clock.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import { type ChildExit, SupervisedProcess } from "../../service/kernel/supervised-process.ts";

/** A file that has not answered after so long, ms, is abandoned, and left alone for a while that doubles each time. */
const PATIENCE = 1000;
const FIRST_REST = 5000;
const LONGEST_REST = 300_000;
/** No file that is read here is longer, characters. */
const LONGEST_TEXT = 262_144;

/** So many files are asked for ahead of the answers. */
const AHEAD = 32;
/** Why a file cannot be read is asked anew after so long, ms: that starts a program, where reading does not. */
const WHY_AGAIN = 60_000;

/**
 * Reads each path that it is given on its standard input with what the shell has built in. A path after "?"
 * may start another program to learn why it cannot be read, one after "-" may not. A line of a file begins with
 * a blank, a fault with "!", and "." ends the answer.
 */
const SCRIPT = `
while IFS= read -r path; do
  why=\${path%"\${path#?}"}
  path=\${path#?}
  got=
  if [ ! -e "$path" ]; then printf '!No such file or directory\\n'
  elif [ ! -r "$path" ]; then printf '!Permission denied\\n'
  else
    while IFS= read -r line || [ -n "$line" ]; do got=1; printf ' %s\\n' "$line"; done 2>/dev/null < "$path"
    if [ -z "$got" ] && [ "$why" = '?' ]; then printf '!%s\\n' "$(cat "$path" 2>&1 >/dev/null)"
    elif [ -z "$got" ]; then printf '!\\n'
    fi
  fi
  printf '.\\n'
done`;

/** What the C library says in English, and the code by which people look it up. */
const CODES: Readonly<Record<string, string>> = {
  "Resource temporarily unavailable": "EAGAIN",
  "No data available": "ENODATA",
  "No such file or directory": "ENOENT",
  "No such device": "ENODEV",
  "No such device or address": "ENXIO",
  "Input/output error": "EIO",
  "Permission denied": "EACCES",
  "Operation not permitted": "EPERM",
  "Operation not supported": "EOPNOTSUPP",
  "Invalid argument": "EINVAL",
  "Connection timed out": "ETIMEDOUT",
  "Remote I/O error": "EREMOTEIO",
};

type Answer = { readonly text: string } | { readonly fault: string };

interface Ask {
  readonly path: string;
  readonly resolve: (answer: Answer) => void;
}

/** What files said, by the path that was asked for. */
export class Answers {
  constructor(private readonly answers: ReadonlyMap<string, Answer>) {}

  text(path: string): string | undefined {
    const answer = this.answers.get(path);
    return answer && "text" in answer ? answer.text.trim() : undefined;
  }

  /** Why it could not be read; undefined where it could. */
  fault(path: string): string | undefined {
    const answer = this.answers.get(path);
    return answer && "fault" in answer ? answer.fault : undefined;
  }

  integer(path: string): number | undefined {
    return integerOf(this.text(path));
  }
}

/** A whole number and nothing else, as sysfs writes them. */
export function integerOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^[+-]?\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/**
 * Reads small files under a root in a child process. A read that hangs in this process could not be abandoned:
 * it would hold one of the four threads that all file access shares, and keep the process from ever exiting.
 * The child is killed instead and started anew for the files that do answer.
 */
export class FileReader {
  private readonly queue: Ask[] = [];
  /** What the child has been asked and has not answered: it answers in order. */
  private asked: Ask[] = [];
  private losePatience: (() => void) | undefined;
  private child: SupervisedProcess | undefined;
  private stdin: Writable | undefined;
  private rest = "";
  private lines: string[] = [];
  private length = 0;
  private readonly leaving = new Set<Promise<void>>();
  private readonly why = new Map<string, { fault: string; at: number }>();
  private readonly silent = new Map<string, { until: number; rest: number; fault: string }>();
  private closed = false;

  constructor(
    private readonly options: {
      readonly name: string;
      readonly root: string;
      readonly clock: Clock;
      readonly logger: Logger;
    },
  ) {}

  /** Names in a folder, file2 before file10; none where there is no such folder. Listing sysfs asks no hardware. */
  async list(folder: string): Promise<string[]> {
    const names = await readdir(join(this.options.root, folder)).catch(() => []);
    return names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  /** One after the other, each with its own patience. Never throws. */
  async read(paths: readonly string[]): Promise<Answers> {
    const answers = new Map<string, Answer>();
    const all = [...new Set(paths)].map((path) =>
      new Promise<Answer>((resolve) => this.queue.push({ path, resolve })).then((answer) =>
        answers.set(path, answer),
      ),
    );
    this.askNext();
    await Promise.all(all);
    return new Answers(answers);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.losePatience?.();
    for (const ask of [...this.asked.splice(0), ...this.queue.splice(0)])
      ask.resolve({ fault: "is no longer asked" });
    this.leave();
    await Promise.all(this.leaving);
  }

  private askNext(): void {
    let lines = "";
    while (this.asked.length < AHEAD) {
      const ask = this.queue.shift();
      if (!ask) break;
      const silence = this.silent.get(ask.path);
      if (this.closed) ask.resolve({ fault: "is no longer asked" });
      else if (silence && this.options.clock.monotonic() < silence.until)
        ask.resolve({ fault: silence.fault });
      else {
        this.asked.push(ask);
        lines += this.lineOf(ask);
      }
    }
    if (lines === "") return;
    this.child ??= this.begin();
    this.stdin?.write(lines);
    if (!this.losePatience) this.wait();
  }

  private lineOf({ path }: Ask): string {
    const known = this.why.get(path);
    const recent = known !== undefined && this.options.clock.monotonic() - known.at < WHY_AGAIN;
    return `${recent ? "-" : "?"}${join(this.options.root, path)}\n`;
  }

  /** Waits for the next answer. */
  private wait(): void {
    this.losePatience?.();
    this.losePatience = undefined;
    const [ask] = this.asked;
    if (!ask) return;
    this.losePatience = this.options.clock.after(PATIENCE, () =>
      // Where this process itself was held up, the answer lies there already and is heard first.
      setImmediate(() => {
        if (this.asked[0] === ask) this.abandon("does not answer");
      }),
    );
  }

  private begin(): SupervisedProcess {
    const { name, clock, logger } = this.options;
    this.rest = "";
    this.lines = [];
    this.length = 0;
    const child: SupervisedProcess = new SupervisedProcess({
      name: `reader of ${name}`,
      clock,
      logger,
      spec: () => ({ command: "/bin/sh", args: ["-c", SCRIPT], env: { LC_ALL: "C" }, openInput: true }),
      onSpawn: ({ stdin, stdout }) => {
        this.stdin = stdin;
        stdout.setEncoding("utf8");
        stdout.on("data", (text: string) => {
          if (this.child === child) this.hear(text);
        });
      },
      onExit: (exit) => {
        if (this.child === child) this.ended(exit);
        return "stay-down";
      },
      backoff: { first: 1, most: 1 },
    });
    child.start();
    return child;
  }

  private hear(text: string): void {
    const parts = (this.rest + text).split("\n");
    this.rest = parts.pop() ?? "";
    const [head] = this.asked;
    for (const part of parts) {
      if (part === ".") this.heardAll();
      else {
        this.lines.push(part);
        this.length += part.length;
      }
    }
    if (this.length + this.rest.length > LONGEST_TEXT) this.abandon("says far too much");
    else if (this.asked[0] !== head) this.wait();
    this.askNext();
  }

  private heardAll(): void {
    const { lines } = this;
    const ask = this.asked.shift();
    this.lines = [];
    this.length = 0;
    if (!ask) return;
    this.silent.delete(ask.path);
    ask.resolve(this.answerOf(ask.path, lines));
  }

  private answerOf(path: string, lines: readonly string[]): Answer {
    const [first] = lines;
    if (first?.startsWith(" ")) {
      this.why.delete(path);
      return { text: lines.map((line) => line.slice(1)).join("\n") };
    }
    const known = this.why.get(path);
    const words = first?.slice(1) ?? "";
    const fault = words === "" && known ? known.fault : faultOf(words);
    if (!known || words !== "") this.why.set(path, { fault, at: this.options.clock.monotonic() });
    return { fault };
  }

  private abandon(fault: string): void {
    const ask = this.asked.shift();
    if (!ask) return;
    const { path } = ask;
    const rest = Math.min(LONGEST_REST, (this.silent.get(path)?.rest ?? FIRST_REST / 2) * 2);
    this.silent.set(path, { until: this.options.clock.monotonic() + rest, rest, fault });
    this.leave();
    ask.resolve({ fault });
    this.askAgain();
  }

  /** What the last child was asked and did not answer goes to the next one. */
  private askAgain(): void {
    this.queue.unshift(...this.asked.splice(0));
    this.wait();
    this.askNext();
  }

  /** Ends the child without waiting: one that hangs in the kernel may take its time. */
  private leave(): void {
    const { child } = this;
    this.child = undefined;
    this.stdin = undefined;
    if (!child) return;
    const gone: Promise<void> = child.stop().finally(() => this.leaving.delete(gone));
    this.leaving.add(gone);
  }

  private ended({ error, code, signal }: ChildExit): void {
    this.child = undefined;
    this.stdin = undefined;
    const ask = this.asked.shift();
    ask?.resolve({ fault: error?.message ?? `could not be read (sh: ${signal ?? code})` });
    this.askAgain();
  }
}

function faultOf(said: string): string {
  const words = said.split(": ").at(-1)?.trim() ?? "";
  if (words === "") return "says nothing";
  const code = CODES[words] ?? words;
  return code === "ENOENT" ? "is not there (ENOENT)" : `cannot be read (${code})`;
}
