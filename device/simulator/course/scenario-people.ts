import { momentText } from "../../../service/contract/units.ts";
import type { Issue } from "../../../service/kernel/config-file.ts";
import { Random } from "../random.ts";
import { MOST_PEOPLE } from "../world.ts";
import type { ScenarioEvent, ScenarioFile } from "./scenario-schema.ts";
import { freeSide, freeSpot, isHere, isLying, isWalking, type VisitDraft } from "./visits.ts";

/** Ms from beyond the picture to the spot, and back. */
export const WALK = 2000;
/** Spots that somebody chose may be that near to each other, a share of the width. */
const NEAREST = 0.18;
/** Who has no name. */
const SOMEBODY = "somebody";

interface Guest extends VisitDraft {
  readonly name: string;
}

type PersonEvent = ScenarioEvent & { readonly person: NonNullable<ScenarioEvent["person"]> };

/** Who comes, goes, falls and rises; `issues` where nobody could. */
export function scenarioPeople({ seed, people, events }: Pick<ScenarioFile, "seed" | "people" | "events">): {
  visits: VisitDraft[];
  issues: Issue[];
} {
  const guests: Guest[] = [];
  const issues: Issue[] = [];
  const random = new Random(seed, "people");
  for (const name of people) guests.push(guestOf(seed, name, freeSpot(random, spotsOf(guests))));
  for (const [index, event] of events.entries()) {
    if (!isPersonEvent(event)) continue;
    const issue = happen(event, guests, seed, random);
    if (issue) issues.push({ ...issue, path: ["events", index, ...issue.path] });
  }
  return { visits: guests.map(({ name: _, ...visit }) => visit), issues };
}

const isPersonEvent = (event: ScenarioEvent): event is PersonEvent => event.person !== undefined;

const guestOf = (seed: number, name: string, spot: number): Guest => ({
  name,
  looks: new Random(seed, "looks", name).whole(0, 2 ** 31),
  spot,
  lies: [],
});

const spotsOf = (guests: readonly Guest[]) => guests.map(({ spot }) => spot);

/** Lets it happen, or says why it cannot. */
function happen(event: PersonEvent, guests: Guest[], seed: number, random: Random): Issue | undefined {
  const { at, person, name = SOMEBODY } = event;
  const here = guests.filter((guest) => isHere(guest, at));
  const one = here.find((guest) => guest.name === name);
  const no = (message: string, key = "person"): Issue => ({ path: [key], message });
  if (person === "enters") {
    if (one) return no(nameTaken(one, at), event.name === undefined ? "person" : "name");
    if (here.length >= MOST_PEOPLE) return no(`${listed(here)} are there already: ${MOST_PEOPLE} at most`);
    return enter(event, name, guests, seed, random);
  }
  if (!one) return no(`${name} is not there${here.length > 0 ? `; there: ${listed(here)}` : ""}`);
  if (isWalking(one, at)) return no(`${name} ${walkingText(one, at)}`);
  const lying = here.find((guest) => isLying(guest, at));
  if (person === "rises") {
    if (one !== lying) return no(`${name} does not lie`);
    one.lies = one.lies.map((span) => (span.to > at ? { ...span, to: at } : span));
  } else if (lying === one) {
    return no(`${name} lies on the floor: { at: …, person: rises } comes first`);
  } else if (person === "falls") {
    if (lying) return no(`${lying.name} lies there already, and two would hide each other`);
    one.lies = [...one.lies, { from: at, to: Number.POSITIVE_INFINITY }];
  } else {
    const others = here.filter((guest) => guest !== one);
    const side = event.side ?? freeSide(random, one.spot, spotsOf(others));
    one.goes = { from: at, to: at + WALK, side };
  }
  return undefined;
}

function enter(event: PersonEvent, name: string, guests: Guest[], seed: number, random: Random) {
  const { at, spot: wished, side } = event;
  const staying = guests.filter((guest) => isHere(guest, at) && guest.goes === undefined);
  const close = staying.find((guest) => wished !== undefined && Math.abs(guest.spot - wished) < NEAREST);
  if (close)
    return {
      path: ["spot"],
      message: `${close.name} stands at ${close.spot.toFixed(2)}: keep ${NEAREST} away`,
    };
  const spot = wished ?? freeSpot(random, spotsOf(staying));
  const from = side ?? freeSide(random, spot, spotsOf(staying));
  guests.push({ ...guestOf(seed, name, spot), comes: { from: at, to: at + WALK, side: from } });
  return undefined;
}

function nameTaken(guest: Guest, at: number): string {
  if (isWalking(guest, at)) return `${guest.name} ${walkingText(guest, at)}`;
  return guest.name === SOMEBODY
    ? "somebody is there already: give people names, name: anna"
    : `${guest.name} is there already`;
}

const walkingText = ({ comes, goes }: Guest, at: number) =>
  goes && at >= goes.from
    ? `is on the way out until ${momentText(goes.to)}`
    : `is on the way in until ${momentText(comes?.to ?? at)}`;

const listed = (guests: readonly Guest[]) => guests.map(({ name }) => name).join(", ");
