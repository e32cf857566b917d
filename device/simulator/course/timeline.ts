import type { Truth } from "../../../service/contract/media.ts";
import { Random } from "../random.ts";
import type { Script, Setting, SoundSegment } from "../script.ts";
import type { Scene } from "../world.ts";
import { clipTruth } from "./heard.ts";
import { type CellState, FURNITURE, type Furniture, stretchStates } from "./timeline-scene.ts";
import { stretchSounds } from "./timeline-sounds.ts";
import { peopleAt, type Visit } from "./visits.ts";

/** A minute of the cell: one place and one hour of the day, then others. */
export interface Stretch extends Setting {
  /** Its number since the epoch. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** Without gaps. */
  readonly states: readonly CellState[];
  readonly visits: readonly Visit[];
  /** In order of their beginnings; 1.5 s of quiet between them, and 0.5 s at both ends. */
  readonly sounds: readonly SoundSegment[];
}

/** Ms. */
export const STRETCH = 60_000;
/** Minutes that are kept: two pictures or a clip may lie on both sides of a bound. */
const KEPT = 4;

/**
 * What is to be seen and heard in the simulated cell at any moment, endless in both directions and
 * decided by the seed and the wall clock alone, so that cameras, microphones and the service agree
 * without talking to each other. Times are epoch ms.
 */
export class Timeline implements Script {
  private kept: Stretch[] = [];

  constructor(readonly seed: number) {}

  /** The minute that holds a moment. */
  stretchAt(at: number): Stretch {
    const index = Math.floor(at / STRETCH);
    const known = this.kept.find((stretch) => stretch.index === index);
    if (known) return known;
    const stretch = stretchOf(this.seed, index);
    this.kept = [stretch, ...this.kept.slice(0, KEPT - 1)];
    return stretch;
  }

  sceneAt(at: number): Scene {
    const { states, visits } = this.stretchAt(at);
    const state = states.find(({ to }) => at < to);
    if (!state) throw new Error(`the simulated scene has a gap at ${at}`);
    return { ...state.shows, people: peopleAt(visits, at) };
  }

  settingAt(at: number): Setting {
    const { place, daylight } = this.stretchAt(at);
    return { place, daylight };
  }

  soundsBetween(from: number, to: number): SoundSegment[] {
    const found: SoundSegment[] = [];
    for (let at = from; Math.floor(at / STRETCH) <= Math.floor(to / STRETCH); at += STRETCH)
      for (const sound of this.stretchAt(at).sounds)
        if (sound.from < to && sound.to > from) found.push(sound);
    return found;
  }

  soundTruth(from: number, to: number): Truth | undefined {
    return clipTruth(this.soundsBetween(from, to), from, to);
  }
}

/** The minute `index` of a seed. Pure. */
export function stretchOf(seed: number, index: number): Stretch {
  const from = index * STRETCH;
  const to = from + STRETCH;
  const place = index;
  const { states, visits } = stretchStates(
    new Random(seed, "scene", index),
    { from, to },
    furnitureOf(seed, place),
  );
  const sounds = stretchSounds(new Random(seed, "sounds", index), { from, to }, visits);
  const daylight = daylightOf(new Random(seed, "daylight", index));
  return { index, from, to, place, daylight, states, visits, sounds };
}

/** A third of the places have a belt, a third a desk. */
export const furnitureOf = (seed: number, place: number): Furniture =>
  new Random(seed, "furniture", place).pick(FURNITURE);

/** Day in two of three places, else dusk or night. */
function daylightOf(random: Random): number {
  const hour = random.next();
  if (hour < 0.65) return random.between(0.7, 1);
  return hour < 0.8 ? random.between(0.2, 0.4) : random.between(0, 0.15);
}
