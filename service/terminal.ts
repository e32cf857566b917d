import { styleText } from "node:util";
import type { Event } from "./contract/observation.ts";
import type { Logger } from "./kernel/logger.ts";

const COLOUR = { info: "cyan", warning: "yellow", alarm: "red" } as const;
/** Whoever asks for colours knows that they can be shown. */
const WHETHER_ASKED = { validateStream: false };
const MARK = { start: "●", update: "·", end: "○" } as const;

/** An answer for a person: `person yes · light red · display 42`. */
export function answerText(answer: Event["answer"]): string {
  return Object.entries(answer)
    .map(([field, value]) => `${field} ${valueText(value)}`)
    .join(" · ");
}

function valueText(value: boolean | number | string): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === "" ? "–" : String(value).replace(UNPRINTABLE, " ");
}

/** A text as a terminal may have it: its lines stay, and nothing of it moves the cursor or colours what follows. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n\t]|\p{Cf}/gu, " ");

/** What a model wrote must not move a terminal's cursor, nor make two lines of one. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** One line an event: `17:21:03 ● The signal light is red  (scene)  person no · light red · display 42`. */
export function eventLine(event: Event, colour: boolean): string {
  const time = new Date(event.at).toLocaleTimeString("en-GB");
  const mark = MARK[event.phase];
  const title = event.phase === "end" ? `${event.title}: over` : event.title;
  const shown =
    colour && event.phase !== "end"
      ? styleText(COLOUR[event.severity], `${mark} ${title}`, WHETHER_ASKED)
      : `${mark} ${title}`;
  return `${time} ${shown}  (${event.watch})  ${answerText(event.answer)}`;
}

/** What standard output is to whoever prints. */
interface Screen {
  readonly isTTY: boolean;
  hasColors(): boolean;
  write(text: string): unknown;
}

/** Shows events as they come: readable lines on a terminal, log lines elsewhere. */
export function eventPrinter(logger: Logger, out: Screen = process.stdout): (event: Event) => void {
  if (out.isTTY) return (event) => out.write(`${eventLine(event, out.hasColors())}\n`);
  return (event) => logger.info({ event }, eventLine(event, false));
}
