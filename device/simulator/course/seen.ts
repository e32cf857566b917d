/** What somebody who saw only the pictures could rightly say, of a script that knows more. */
import type { Truth } from "../../../service/contract/media.ts";
import type { Script } from "../script.ts";
import { BLINK, type Person, picturesTruth, pictureTruth, type Scene } from "../world.ts";

/** Shares of the width between which nothing of a body is beyond the edge, and beyond which all of it is. */
const INSIDE = 0.1;
const OUTSIDE = -0.13;
/** Heads that are nearer to each other are seen as one, a share of the width. */
const CROWDED = 0.14;
/** Ms between the moments that are looked at. */
const STEP = 100;

/**
 * The right answers about the picture of a moment. While somebody is half in the picture, or before
 * somebody else, there is none about how many there are: those fields are left out.
 */
export function frameTruth(scene: Scene, at: number): Truth {
  return known(scene, pictureTruth(inPicture(scene), at));
}

/** The right answers about a scene that stays as it is, of which one saw pictures enough. */
export const sceneTruth = (scene: Scene): Truth => known(scene, picturesTruth(inPicture(scene)));

/**
 * The right answers about several pictures, of which the oldest was taken at `from` and the newest at `to`,
 * ms of the script: what held all the time. Whether a lamp blinks takes one picture of it lit and one unlit.
 */
export function picturesTruthBetween(script: Script, from: number, to: number): Truth {
  const steps = Math.ceil((to - from) / STEP);
  const times = [from, ...Array.from({ length: steps }, (_, i) => Math.min(to, from + (i + 1) * STEP))];
  const scenes = times.map((at) => script.sceneAt(at));
  const [first = {}, ...others] = scenes.map(sceneTruth);
  const same = without(first, (field) => others.some((other) => other[field] !== first[field]));
  const seen = halfAt(from) !== halfAt(to) || scenes.every(({ blinking }) => !blinking);
  return seen ? same : without(same, (field) => LAMP.includes(field));
}

const LAMP: readonly string[] = ["light", "blinking", "description"];

/** Which half of a blinking lamp's period it is. */
const halfAt = (at: number) => Math.abs(Math.floor((at * 2) / BLINK) % 2);

const edgeOf = ({ x }: Person) => Math.min(x, 1 - x);

function inPicture(scene: Scene): Scene {
  return { ...scene, people: scene.people.filter((person) => edgeOf(person) >= INSIDE) };
}

/** Without what a picture of the scene leaves open. */
function known({ people, camera }: Scene, truth: Truth): Truth {
  if (camera !== "ok") return truth;
  const cut = people.some((person) => edgeOf(person) < INSIDE && edgeOf(person) > OUTSIDE);
  const crowded = people.some((one, i) =>
    people.slice(i + 1).some((other) => other.pose === one.pose && Math.abs(other.x - one.x) < CROWDED),
  );
  if (!cut && !crowded) return truth;
  const somebody = truth.person === true;
  return without(truth, (field) => COUNT.includes(field) || (field === "person" && !somebody));
}

const COUNT: readonly string[] = ["people", "description"];

const without = (truth: Truth, left: (field: string) => boolean): Truth =>
  Object.fromEntries(Object.entries(truth).filter(([field]) => !left(field)));
