import type { Ladder } from "../../contract/models.ts";
import type { Health } from "../../kernel/part.ts";
import { OpenAiFault } from "./fault.ts";

/** What runs, and what could. */
export interface Running {
  readonly ladder: string;
  /** Levels of the ladder, best first. */
  readonly levels: readonly string[];
  /** Level that runs, or is kept running; undefined where none is. */
  readonly level: string | undefined;
  /** Why none runs, where that will not change by itself within moments. */
  readonly reason: string | undefined;
}

/** What runs of a ladder. A switch under way, or one at the start, is waited for. */
export function runningOf(
  { id, levels }: Ladder,
  engine: { readonly level: string | undefined; health(): Health },
): Running {
  const { state, reason, detail } = engine.health();
  const waits = engine.level !== undefined || state !== "degraded" || detail?.switchingTo !== undefined;
  return {
    ladder: id,
    levels: levels.map((level) => level.id),
    level: engine.level,
    reason: waits ? undefined : (reason ?? "it says not why"),
  };
}

/** The model of the moment, at whatever level. */
const ANY = "perch";

/**
 * Which level a model's name asks for; undefined: the one of the moment. Throws OpenAiFault: 404 for a name that
 * means nothing here, 409 for a level that does not run.
 */
export function levelOf(model: string, { ladder, levels, level }: Running): string | undefined {
  if (model === ANY || model === ladder) return undefined;
  const asked = levels.find((one) => model === `${ANY}@${one}`);
  if (asked === undefined)
    throw new OpenAiFault(
      404,
      `there is no model ${JSON.stringify(model.slice(0, 100))}: ${namesText(levels)}`,
      { code: "model_not_found", param: "model" },
    );
  if (asked !== level)
    throw new OpenAiFault(409, `${model} does not run: ${runs(level)}. ${ANY} takes whichever runs`, {
      code: "level_not_running",
      param: "model",
      final: true,
    });
  return asked;
}

function namesText(levels: readonly string[]): string {
  if (levels.length === 0) return `the one here is called ${ANY}`;
  const single = levels.map((one) => `${ANY}@${one}`).join(", ");
  return `${ANY} is the level of the moment, and ${single} are single levels`;
}

const runs = (level: string | undefined): string =>
  level === undefined ? "no level runs now" : `${ANY}@${level} runs now`;

export interface ModelCard {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970. */
  readonly created: number;
  readonly owned_by: "perch";
}

/** "perch", and the level that runs. */
export function modelList({ level }: Running, created: number): ModelCard[] {
  const ids = level === undefined ? [ANY] : [ANY, `${ANY}@${level}`];
  return ids.map((id) => ({ id, object: "model", created, owned_by: "perch" }));
}
