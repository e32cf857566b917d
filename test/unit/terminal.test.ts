import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import pino from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import type { Event } from "../../service/contract/observation.ts";
import { answerText, eventLine, eventPrinter } from "../../service/terminal.ts";

beforeAll(() => {
  process.env.TZ = "UTC";
});

const event: Event = {
  id: "id",
  sequence: 0,
  node: "cell",
  watch: "scene",
  rule: "red",
  title: "The signal light is red",
  severity: "alarm",
  phase: "start",
  started: "2026-01-02T03:04:05.000Z",
  at: "2026-01-02T03:04:06.000Z",
  ended: null,
  observation: "o",
  answer: { person: false, light: "red", display: 42, words: "" },
};
const ESCAPE = "\u001b";

describe("an answer for a person", () => {
  it("has every field, in its order, in words", () => {
    expect(answerText(event.answer)).toBe("person no · light red · display 42 · words –");
    expect(answerText({ person: true, heat: -0.5 })).toBe("person yes · heat -0.5");
    expect(answerText({})).toBe("");
  });

  it("stays on one line and moves no cursor, whatever the model wrote", () => {
    const words = `a\nb\r\nc${ESCAPE}[2J\u0007d\u2028e\u202ef`;
    expect(answerText({ words })).toBe("words a b c [2J d e f");
  });
});

describe("an event's line", () => {
  it("says when, what, which watch and the answer; a mark for each phase", () => {
    const answer = "person no · light red · display 42 · words –";
    expect(eventLine(event, false)).toBe(`03:04:06 ● The signal light is red  (scene)  ${answer}`);
    expect(eventLine({ ...event, phase: "update" }, false)).toMatch(
      /^03:04:06 · The signal light is red {2}/,
    );
    expect(eventLine({ ...event, phase: "end" }, false)).toMatch(
      /^03:04:06 ○ The signal light is red: over {2}/,
    );
  });

  it("has the severity's colour until the event is over, where there are colours", () => {
    const line = eventLine(event, true);
    expect(line).toContain(`${ESCAPE}[31m● The signal light is red${ESCAPE}[39m`);
    expect(stripVTControlCharacters(line)).toBe(eventLine(event, false));
    expect(eventLine({ ...event, severity: "info" }, true)).toContain(`${ESCAPE}[36m`);
    expect(eventLine({ ...event, phase: "end" }, true)).not.toContain(ESCAPE);
  });
});

describe("events as they come", () => {
  /** What is written to a terminal, or to something else, and to the log. */
  function printed(terminal: boolean) {
    const log = new PassThrough();
    const lines: string[] = [];
    const screen = { isTTY: terminal, hasColors: () => false, write: (text: string) => lines.push(text) };
    eventPrinter(pino({ base: null, timestamp: false }, log), screen)(event);
    return { lines, log: log.read() as Buffer | null };
  }

  it("are lines on a terminal", () => {
    expect(printed(true)).toEqual({ lines: [`${eventLine(event, false)}\n`], log: null });
  });

  it("are log lines with all that they hold elsewhere, and standard output stays empty", () => {
    const { lines, log } = printed(false);
    expect(lines).toEqual([]);
    expect(JSON.parse(String(log))).toEqual({ level: 30, event, msg: eventLine(event, false) });
  });
});
