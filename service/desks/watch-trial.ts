import type { Running } from "../api/openai/models.ts";
import type { Trial, TrialResult } from "../contract/api-watches.ts";
import type { Feed } from "../contract/config-feeds.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Inference } from "../inference/inference.ts";
import { PerchError } from "../kernel/errors.ts";
import { provenanceOf } from "../provenance.ts";
import { compileCondition } from "../watch/condition.ts";
import { parseAnswer } from "../watch/parse-answer.ts";
import { type MediaSources, trialMedia } from "./trial-media.ts";

/** Trials at once: each holds pictures in memory, and decodes them. */
const MOST = 4;
/** Ms that a trial may wait for its turn. */
const DEADLINE = 60_000;

interface Options extends MediaSources {
  readonly inference: Inference;
  readonly feeds: () => readonly Feed[];
  readonly running: () => Running;
  /** The hottest zone now, degrees Celsius. */
  readonly hottest: () => { readonly celsius: number | null; readonly simulated: boolean };
}

/** Asks a watch's question once, beside the watches that run. Nothing of it is recorded or published. */
export class Trials {
  private count = 0;

  constructor(private readonly options: Options) {}

  /** Rejects as trialMedia and Inference.submit do; with ENGINE_UNAVAILABLE where no model runs, ANSWER_INVALID. */
  async try(watch: Watch, trial: Trial, signal: AbortSignal): Promise<TrialResult> {
    const { level, reason } = this.options.running();
    if (level === undefined && reason !== undefined)
      throw new PerchError("ENGINE_UNAVAILABLE", `no model runs: ${reason}`);
    if (this.count >= MOST)
      throw new PerchError(
        "QUEUE_FULL",
        `${MOST} watches are being tried already: try again in a few seconds`,
      );
    this.count += 1;
    try {
      return await this.ask(watch, trial, signal);
    } finally {
      this.count -= 1;
    }
  }

  private async ask(watch: Watch, trial: Trial, signal: AbortSignal): Promise<TrialResult> {
    const { inference, feeds, hottest, clock } = this.options;
    const begun = clock.monotonic();
    const media = await trialMedia(watch, feeds(), trial, this.options, signal);
    const gathered = clock.monotonic();
    const answered = await inference.submit({
      prompt: { question: watch.question, schema: watch.answer, ...media },
      lane: "api",
      deadline: gathered + DEADLINE,
      signal,
    });
    const answer = parseAnswer(answered.reply.text, watch.answer);
    const provenance = provenanceOf(answered, hottest());
    const { queue, prompt, decode } = provenance;
    return {
      watch: watch.id,
      answer,
      rules: watch.rules.map(({ id, title, severity, when }) => ({
        id,
        ...(title !== undefined && { title }),
        severity,
        holds: compileCondition(when, watch.answer)(answer),
      })),
      took: {
        ...{ media: rounded(gathered - begun), queue, prompt, decode },
        total: rounded(clock.monotonic() - begun),
      },
      provenance,
    };
  }
}

const rounded = (ms: number) => Math.round(ms * 100) / 100;
