import type { Abilities } from "./remote-probe.ts";
import { ABILITIES, type Ability } from "./remote-request.ts";

/** What is known of a server, for people. */
export interface RemoteView {
  readonly id: string;
  /** resting: it asked to be left alone for a moment. */
  readonly state: "starting" | "up" | "resting" | "down";
  /** Why it is down. */
  readonly reason?: string;
  readonly model?: string;
  readonly abilities?: Abilities;
  /** Of the last look at it, ms; none where that was not answered. */
  readonly latency?: number;
  readonly underWay: number;
  readonly slots: number;
}

/** One line about a server: "up · gemma-4-12b · can text, image, schema; cannot audio, tools · 3 ms · 0 of 4 under way". */
export function viewText({ state, reason, model, abilities, latency, underWay, slots }: RemoteView): string {
  if (state === "starting" || state === "down") return reason === undefined ? state : `${state} · ${reason}`;
  return [
    state,
    model ?? "",
    abilities ? abilitiesText(abilities) : "",
    latency === undefined ? "its last look was not answered" : `${Math.round(latency)} ms`,
    `${underWay} of ${slots} under way`,
  ].join(" · ");
}

/** "can text, image, schema; cannot audio, tools". */
export function abilitiesText(abilities: Abilities): string {
  const can = ABILITIES.filter((one) => abilities[one] === true);
  const cannot = ABILITIES.filter((one) => abilities[one] !== true);
  return [
    `can ${["text", ...can].join(", ")}`,
    ...(cannot.length > 0 ? [`cannot ${cannot.join(", ")}`] : []),
  ].join("; ");
}

const LACKS: Record<Ability, string> = {
  image: "it takes no pictures",
  audio: "it takes no sound",
  schema: "it holds no answer to a schema",
  tools: "it calls no tools",
};

/** The first of what is needed that a server cannot, and its reason. */
export function lackOf(abilities: Abilities, needs: ReadonlySet<Ability>): string | undefined {
  for (const need of needs) {
    const why = abilities[need];
    if (why !== true) return `${LACKS[need]} (${why})`;
  }
  return undefined;
}
