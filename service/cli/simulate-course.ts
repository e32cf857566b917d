import type { Script, SoundEvent, SoundSegment } from "../../device/simulator/script.ts";
import { sceneTruth } from "../../device/simulator/seen.ts";
import { heardOf } from "../../device/simulator/sound.ts";
import { soundTruth } from "../../device/simulator/world.ts";
import type { Truth } from "../contract/media.ts";
import { momentText } from "../contract/units.ts";
import type { Simulation } from "./simulate.ts";

/** Ms between the moments that are looked at. */
const STEP = 100;

/** What happens and when, a line for each change of what can be seen and for each sound; then what else one can do. */
export function courseText({ what, source, script: begun, wished, length: own }: Simulation): string {
  const script = begun(0);
  const length = wished ?? own;
  const rows = [...seenRows(script, length), ...heardRows(script.soundsBetween(0, length))];
  rows.sort((a, b) => a.at - b.at);
  const { place, daylight } = script.settingAt(0);
  const hour = daylight >= 0.5 ? "by day" : daylight >= 0.2 ? "at dusk" : "at night";
  return `${what} is right: ${momentText(length)} from place ${place} ${hour}, seed ${script.seed}

${rows.map(({ at, sense, text }) => `${shortText(at).padEnd(9)} ${sense.padEnd(5)}  ${text}\n`).join("")}
Look and listen:  perch simulate ${what} --live
Write files:      perch simulate ${what} --out DIR
Watch it:         a feed with  source: ${source}
`;
}

interface Row {
  /** Ms. */
  readonly at: number;
  readonly sense: "seen" | "heard";
  readonly text: string;
}

function seenRows(script: Script, length: number): Row[] {
  const rows: Row[] = [];
  for (let at = 0; at < length; at += STEP) {
    const text = seenText(sceneTruth(script.sceneAt(at)));
    if (text !== rows.at(-1)?.text) rows.push({ at, sense: "seen", text });
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
      sense: "heard",
      text: `${soundTruth(heardOf(what)).description}, ${manner(what)}, ${length}`,
    };
  });

const manner = (what: SoundEvent): string =>
  what.sound === "speech" ? `${what.loudness} (voice ${what.voice})` : `${Math.round(what.level)} dB`;

/** To the tenth of a second. */
const shortText = (ms: number): string => momentText(Math.floor(ms / 100) * 100).replace(/(\.\d)00$/, "$1");
