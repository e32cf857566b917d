import type { FeedState, Frame, Sound, Truth } from "./media.ts";

export interface FeedStatus {
  readonly state: FeedState;
  /** Why it is not live, and what to do. */
  readonly reason?: string;
  /** When this state began, epoch ms. */
  readonly since: number;
}

/** Where a feed's output goes. */
export interface FeedSink {
  frame(frame: Frame): void;
  sound(sound: Sound): void;
  /** Called on every change of state, the first included. */
  status(feed: string, status: FeedStatus): void;
}

/** A camera or microphone: an ffmpeg child, or the simulated cell. */
export interface FeedSource {
  readonly id: string;
  start(): void;
  stop(): Promise<void>;
  status(): FeedStatus;
  /** Process id of its child, if one runs. */
  readonly pid: number | undefined;
  /**
   * What was true between two moments (epoch ms), as the right answers; only simulated feeds know. Of a
   * microphone: about the sound between them. Of a camera: about several pictures together, of which the
   * oldest and the newest were taken then; about a picture alone its frame knows.
   */
  truth?(from: number, to: number): Truth | undefined;
}
