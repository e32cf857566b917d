import { sceneTruth } from "../../device/simulator/course/seen.ts";
import type { Script, SoundEvent, SoundSegment } from "../../device/simulator/script.ts";
import { heardOf } from "../../device/simulator/sound/sound.ts";
import { soundTruth } from "../../device/simulator/world.ts";
import type { Truth } from "../contract/media.ts";
import { momentText } from "../contract/units.ts";
import type { Simulation } from "./simulate.ts";

/** Ms between the moments that are looked at. */
const STEP = 100;

/** What happens and when, a line for each change of what can be seen and for each sound; then what else one can do. */
export function courseText(simulation: Simulation): string {
  const { what, source, scenario } = simulation;
  const script = simulation.script(0);
  const length = momentText(simulation.wished ?? simulation.length);
  const subject = scenario ? what : `${what} --seed ${script.seed}`;
  const { place, daylight } = script.settingAt(0);
  const hour = daylight >= 0.5 ? "by day" : daylight >= 0.2 ? "at dusk" : "at night";
  const rows = courseRows(simulation).map(
    ({ time, sense, text }) => `${time.padEnd(9)} ${sense.padEnd(5)}  ${text}\n`,
  );
  return `${what}${scenario ? " is right" : ""}: ${length} of place ${place} ${hour}, seed ${script.seed}

${rows.join("")}
Look and listen:  perch simulate ${subject} --live
Write files:      perch simulate ${subject} --out DIR
Watch it:         a feed with  source: ${source}
`;
}

interface Row {
  /** Ms. */
  readonly at: number;
  /** The same for people. */
  readonly time: string;
  readonly sense: "seen" | "heard";
  readonly text: string;
}

/** A row for each change of what can be seen and for each sound, in the order of time. */
export function courseRows({ script: begun, wished, length: own }: Simulation): Row[] {
  const script = begun(0);
  const length = wished ?? own;
  const rows = [...seenRows(script, length), ...heardRows(script.soundsBetween(0, length))];
  return rows.sort((a, b) => a.at - b.at);
}

function seenRows(script: Script, length: number): Row[] {
  const rows: Row[] = [];
  for (let at = 0; at < length; at += STEP) {
    const text = seenText(sceneTruth(script.sceneAt(at)));
    if (text !== rows.at(-1)?.text) rows.push({ at, time: timeText(at), sense: "seen", text });
  }
  return rows;
}

function seenText(truth: Truth): string {
  if (truth.camera !== "ok") return String(truth.description);
  const { description = `somebody comes or goes, light is ${truth.light}`, display, belt, things } = truth;
  return [
    description,
    `display ${String(display).padStart(2, "0")}`,
    ...(belt === undefined ? [] : [`belt ${belt}`]),
    ...(things === undefined ? [] : [`desk: ${things}`]),
  ].join(", ");
}

const heardRows = (sounds: readonly SoundSegment[]): Row[] =>
  sounds.map(({ from, to, what }) => {
    const length = `${((to - from) / 1000).toFixed(1)} s`;
    return {
      at: from,
      time: timeText(from),
      sense: "heard",
      text: `${soundTruth(heardOf(what)).description}, ${manner(what)}, ${length}`,
    };
  });

const manner = (what: SoundEvent): string =>
  what.sound === "speech" ? `${what.loudness} (voice ${what.voice})` : `${Math.round(what.level)} dB`;

/** To the tenth of a second. */
const timeText = (ms: number): string => momentText(Math.floor(ms / 100) * 100).replace(/(\.\d)00$/, "$1");
