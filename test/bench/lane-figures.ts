import type { Lane } from "../../service/contract/config-watches.ts";
import type { Engine, Prompt, RawRequest, Reply } from "../../service/inference/engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { ServedGateway } from "../support/api-openai.ts";
import { picture } from "../support/engine-media.ts";
import type { Figure } from "./figure.ts";

const KIOSK_REQUESTS = 60;
/** Of four turns that API and watches both want, a watch has one. */
const GOAL = { before: 0, share: 0.2 };

/**
 * Watches and programs that ask without pause, and a kiosk's visitor now and then: how many requests of others begin
 * while the kiosk's waits (none: it waits until one that runs is over), and what share of the turns watches have.
 */
export async function laneFigures(): Promise<Figure[]> {
  let turns: Turns | undefined;
  const served = await ServedGateway.begin({
    between: (engine) => {
      turns = new Turns(engine);
      return turns;
    },
  });
  if (!turns) throw new Error("the gateway has no engine");
  const jpeg = picture(1);
  const over = new AbortController();
  const prompt = (seed: string): Prompt => ({
    question: `Describe the image. ${seed}`,
    images: [jpeg],
    schema: { people: { type: "integer", minimum: 0, maximum: 3 }, person: { type: "boolean" } },
  });
  const submit = (lane: Lane, seed: string, newest?: string) => {
    const asked = prompt(seed);
    const deadline = systemClock.monotonic() + 60_000;
    const answered = served.inference.submit({
      ...{ prompt: asked, lane, deadline },
      ...(newest !== undefined && { newest }),
    });
    return { asked, answered };
  };
  const loop = async (lane: Lane, name: string) => {
    for (let turn = 0; !over.signal.aborted; turn += 1) await submit(lane, `${name} ${turn}`).answered;
  };
  const background = [
    ...Array.from({ length: 8 }, (_, index) => loop("api", `a${index}`)),
    ...Array.from({ length: 4 }, (_, index) => loop("watch", `w${index}`)),
  ];
  const before: number[] = [];
  try {
    for (let turn = 0; turn < KIOSK_REQUESTS; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20 + 7 * (turn % 11)));
      const begun = turns.count;
      const { asked, answered } = submit("kiosk", `k ${turn}`);
      await answered;
      before.push(turns.placeOf(asked) - begun - 1);
    }
  } finally {
    over.abort();
    await Promise.all(background);
    await served.dispose();
  }
  const most = Math.max(...before);
  const share = turns.shareOf((question) => question.includes(" w"));
  return [
    {
      name: "requests that begin while a kiosk's waits",
      value: most,
      unit: `at most, of ${KIOSK_REQUESTS}`,
      goal: GOAL.before,
      ok: most <= GOAL.before,
    },
    {
      name: "turns of watches while programs always ask",
      value: share,
      unit: "of all, at least",
      goal: GOAL.share,
      ok: share >= GOAL.share,
    },
  ];
}

/** Notes which request goes to the engine when. */
class Turns implements Engine {
  readonly name = "engine";
  count = 0;
  private readonly places = new Map<Prompt | RawRequest, number>();

  constructor(private readonly engine: Engine) {}

  get stamp() {
    return this.engine.stamp;
  }
  get image() {
    return this.engine.image;
  }
  get order() {
    return this.engine.order;
  }
  get slots() {
    return this.engine.slots;
  }
  start(signal: AbortSignal) {
    return this.engine.start(signal);
  }
  stop() {
    return this.engine.stop();
  }
  health() {
    return this.engine.health();
  }
  ready(signal: AbortSignal) {
    return this.engine.ready(signal);
  }

  ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    this.count += 1;
    this.places.set(work, this.count);
    return this.engine.ask(work, signal);
  }

  placeOf(work: Prompt): number {
    return this.places.get(work) ?? Number.NaN;
  }

  /** Share of all turns whose question is such. */
  shareOf(is: (question: string) => boolean): number {
    const questions = [...this.places.keys()].flatMap((work) => ("question" in work ? [work.question] : []));
    return questions.filter(is).length / questions.length;
  }
}
