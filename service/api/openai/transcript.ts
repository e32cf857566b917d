import type { TranscriptionBody } from "../../contract/openai-transcription.ts";

/** What was said in one clip. */
export interface Segment {
  /** Seconds from the beginning. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** The segments as a program wants them: its type and its content. */
export function transcriptOf(
  segments: readonly Segment[],
  seconds: number,
  { response_format = "json", language, temperature = 0 }: TranscriptionBody,
): { type: string; content: string } {
  const text = wholeText(segments);
  switch (response_format) {
    case "json":
      return json({ text, usage: { type: "duration", seconds: Math.ceil(seconds) } });
    case "verbose_json":
      return json({
        task: "transcribe",
        // The model does not say which it heard.
        language: language ?? "unknown",
        duration: rounded(seconds),
        text,
        segments: segments.map((segment, id) => ({
          id,
          seek: Math.round(segment.from * 100),
          start: rounded(segment.from),
          end: rounded(segment.to),
          text: segment.text,
          tokens: [],
          temperature,
        })),
        usage: { type: "duration", seconds: Math.ceil(seconds) },
      });
    case "text":
      return { type: "text/plain; charset=utf-8", content: `${text}\n` };
    case "srt":
      return { type: "application/x-subrip; charset=utf-8", content: cues(segments, ",", true) };
    case "vtt":
      return { type: "text/vtt; charset=utf-8", content: `WEBVTT\n\n${cues(segments, ".", false)}` };
  }
}

export const wholeText = (segments: readonly Segment[]): string => segments.map(({ text }) => text).join(" ");

const json = (value: object) => ({ type: "application/json; charset=utf-8", content: JSON.stringify(value) });

function cues(segments: readonly Segment[], comma: string, numbered: boolean): string {
  return segments
    .map(({ from, to, text }, index) => {
      const number = numbered ? `${index + 1}\n` : "";
      return `${number}${stamp(from, comma)} --> ${stamp(to, comma)}\n${plain(text)}\n\n`;
    })
    .join("");
}

/** A cue ends at an empty line, and its arrow belongs to the times. */
const plain = (text: string): string => text.replaceAll("-->", "->").replace(/\s*\n\s*/g, " ");

const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;

function stamp(seconds: number, comma: string): string {
  const ms = Math.round(seconds * 1000);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const [hours, minutes, rest] = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60];
  return `${two(hours)}:${two(minutes)}:${two(rest)}${comma}${String(ms % 1000).padStart(3, "0")}`;
}
