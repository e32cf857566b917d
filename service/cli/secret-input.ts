import { StringDecoder } from "node:string_decoder";
import { UsageError } from "./usage.ts";

/** Bytes of a line that is read from a pipe, at most. */
const LONGEST = 4096;
const [ENTER, LINE_FEED, END, INTERRUPT, BACKSPACE, DELETE, CLEAR] = [
  "\r",
  "\n",
  "\u0004",
  "\u0003",
  "\b",
  "\u007f",
  "\u0015",
];

/**
 * A new password: typed twice on a terminal, which shows nothing of it, or the first line of standard input. Never an
 * argument, which every user of the box could read. Throws UsageError where the two differ or nothing comes.
 */
export async function newPassword(): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) return firstLine(stdin);
  const first = await typed("New password: ");
  if (first !== (await typed("Once more: "))) throw new UsageError("the two passwords differ");
  return first;
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  input.setEncoding("utf8");
  for await (const piece of input) {
    text += String(piece);
    if (text.includes("\n") || text.length > LONGEST) break;
  }
  const [line = ""] = text.split(/\r?\n/);
  if (line === "") throw new UsageError("standard input holds no password: its first line is taken");
  return line;
}

/** A line of the terminal that nobody sees. Ctrl-C ends the program as ever. */
function typed(prompt: string): Promise<string> {
  const { stdin } = process;
  const decoder = new StringDecoder("utf8");
  // Before anybody is asked: a quick hand would see its first letters.
  stdin.setRawMode(true);
  process.stderr.write(prompt);
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const over = (end: () => void) => {
      stdin.off("data", take).pause();
      stdin.setRawMode(false);
      process.stderr.write("\n");
      end();
    };
    const take = (bytes: Buffer) => {
      for (const key of decoder.write(bytes)) {
        if (key === ENTER || key === LINE_FEED) return over(() => resolve(line.join("")));
        if (key === INTERRUPT || key === END)
          return over(() => reject(new UsageError("nothing was changed")));
        if (key === BACKSPACE || key === DELETE) line.pop();
        else if (key === CLEAR) line = [];
        else line.push(key);
      }
    };
    stdin.on("data", take).resume();
  });
}
