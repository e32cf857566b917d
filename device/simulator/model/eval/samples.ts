import { setImmediate } from "node:timers/promises";
import { type Grid, gridText } from "../../../../service/contract/grid.ts";
import type { Truth } from "../../../../service/contract/media.ts";
import { wavOf } from "../../../../service/inference/media-check.ts";
import { encodeJpeg } from "../../camera/camera.ts";
import { Random } from "../../random.ts";
import type { VoiceBank, VoiceSplit } from "../../sound/voices.ts";
import { clipLength, type Media, sampleBatch } from "../train/sample.ts";

/** One held-out sample, encoded as the service sends it to the engine. */
export interface Item {
  /** JPEG. */
  readonly images: readonly Buffer[];
  /** WAV. */
  readonly audio?: Buffer;
  readonly truth: Truth;
}

export interface Kind {
  readonly media: Media;
  readonly grid: Grid;
  readonly voices: VoiceSplit;
}

/** Samples of a batch: all its clips are equally long. */
const BATCH = 20;

/** Samples of the world that the model was never trained on; the same seed gives the same ones. */
export class Samples {
  private readonly made = new Map<string, Item[]>();

  constructor(
    private readonly seed: number,
    private readonly bank: VoiceBank,
  ) {}

  /** The first so many samples of a kind. */
  async take(kind: Kind, count: number): Promise<readonly Item[]> {
    const items = this.itemsOf(kind);
    while (items.length < count) {
      items.push(...this.batch(kind, items.length / BATCH));
      // What the canvas library allocated is given back in turns of the event loop only.
      await setImmediate();
    }
    return items.slice(0, count);
  }

  /** The first so many samples of a kind that satisfy a condition. */
  async where(kind: Kind, count: number, condition: (truth: Truth) => boolean): Promise<readonly Item[]> {
    const found: Item[] = [];
    for (let looked = 0; found.length < count; looked += BATCH) {
      if (looked > 200 * BATCH && found.length === 0)
        throw new Error(`no sample of ${kind.media} is as wanted`);
      const batch = (await this.take(kind, looked + BATCH)).slice(looked);
      found.push(...batch.filter(({ truth }) => condition(truth)));
    }
    return found.slice(0, count);
  }

  /** Clips of exactly so many samples. */
  clips(samples: number, count: number): readonly Item[] {
    return this.render(
      { media: "sound", grid: { columns: 5, rows: 5 }, voices: "known" },
      1e6,
      samples,
      count,
    );
  }

  private batch(kind: Kind, index: number): Item[] {
    const samples = clipLength(new Random(this.seed, "clip", kind.media, kind.voices, index));
    return this.render(kind, index, samples, BATCH);
  }

  private render(kind: Kind, index: number, samples: number, count: number): Item[] {
    const options = {
      ...kind,
      seed: this.seed,
      index,
      split: "held-out",
      count,
      samples,
      difficulty: 1,
    } as const;
    const { pictures, sounds, truths } = sampleBatch(options, this.bank);
    return truths.map((truth, i) => {
      const sound = sounds[i];
      return {
        images: (pictures[i] ?? []).map((picture) => encodeJpeg(picture)),
        ...(sound && { audio: wavOf(sound) }),
        truth,
      };
    });
  }

  private itemsOf({ media, grid, voices }: Kind): Item[] {
    const key = `${media} ${media === "sound" ? "" : gridText(grid)} ${voices}`;
    const items = this.made.get(key) ?? [];
    this.made.set(key, items);
    return items;
  }
}
