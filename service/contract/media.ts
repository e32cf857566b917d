/** What a feed is doing. `stalled`: it was live and sends nothing; `offline`: it cannot be reached. */
export const FEED_STATES = ["starting", "live", "stalled", "offline", "disabled"] as const;
export type FeedState = (typeof FEED_STATES)[number];

/** Ground truth of a simulated feed: fields by name, as the answers should be. */
export type Truth = Record<string, boolean | number | string>;

/** One frame of a camera, in the two forms that one decode gives. */
export interface Frame {
  readonly feed: string;
  /** Capture time, epoch ms. */
  readonly at: number;
  /** JPEG at the size that the level's image shape asks for. */
  readonly jpeg: Buffer;
  /** Luma for the gate: width x height bytes, row by row, 0 black to 255 white. */
  readonly luma: Luma;
  readonly truth?: Truth;
}

/** A frame's picture, as whoever looks gets it. */
export type Picture = Pick<Frame, "at" | "jpeg">;

export interface Luma {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Samples a second of all sound inside Perch: mono, signed 16 bit, little endian. */
export const SAMPLE_RATE = 16_000;

/** A run of sound as it comes from a microphone. */
export interface Sound {
  readonly feed: string;
  /** Time of the first sample, epoch ms. */
  readonly at: number;
  readonly samples: Int16Array;
}

/** A piece of sound that a gate cut out. */
export interface Clip {
  readonly feed: string;
  /** Time of the first sample, epoch ms. */
  readonly at: number;
  /** Length in ms. */
  readonly length: number;
  readonly samples: Int16Array;
  readonly truth?: Truth;
}

/** Size of every luma frame; the picture is stretched to it, so that masks stay fractions of the frame. */
export const LUMA_WIDTH = 64;
export const LUMA_HEIGHT = 36;

/** Edge of one image patch of the model, pixels: one patch is one token. */
export const PATCH = 48;
