export const SIMULATE_HELP = `perch simulate – a cell without hardware: what its camera and its microphone would send

Usage: perch simulate SCENARIO.yaml [options]     what you wrote (docs/simulator.md)
       perch simulate cell [--seed N] [options]   the endless random cell that sim:cell is

  Without --live or --out it shows what happens, and when, on the terminal. Every error in a
  scenario is shown with its line.

  --live [PORT]    a page on 127.0.0.1 to look and listen, with the right answers beside it
                   (port 8474, or a free one where that is taken); Ctrl-C ends it
  --out DIR        write frames/000001.jpg …, sound.wav, truth.jsonl and, where there is ffmpeg,
                   video.mp4, as fast as it goes; DIR must be new or empty
  --size WxH       size of the pictures, 96 to 1920 pixels each way (336x192)
  --fps N          pictures a second, up to 30 (5; --live: 10)
  --for DURATION   how long: 30s, 5m (the scenario's length; of cell 60s; --live: until Ctrl-C)
  --seed N         of cell: another seed shows another course of things (1)

A scenario in five lines:

  length: 30s
  events:
    - { at: 00:05, person: enters, name: anna }
    - { at: 00:10, says: help, name: anna, loudness: loud }
    - { at: 00:15, light: red, blinking: true }

  perch simulate demo.yaml              is it right, and what happens when?
  perch simulate demo.yaml --live       look and listen
  perch simulate demo.yaml --out demo   pictures, sound, right answers, video

A feed with  source: sim:demo.yaml  watches it.
`;

/** `--live` may stand alone; what follows it is its port if it is a number. */
export function withLivePort(args: readonly string[]): string[] {
  const at = args.indexOf("--live");
  if (at < 0) return [...args];
  const next = args[at + 1] ?? "";
  const port = /^\d+$/.test(next) ? next : "";
  return [...args.slice(0, at), `--live=${port}`, ...args.slice(at + (port === "" ? 1 : 2))];
}
