import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSink, FeedStatus } from "../../service/contract/feed-source.ts";
import type { Frame, Sound } from "../../service/contract/media.ts";

/** A feed's sink that keeps what comes, and lets a test wait for it. */
export class FeedRecorder implements FeedSink {
  readonly frames: Frame[] = [];
  readonly sounds: Sound[] = [];
  readonly statuses: FeedStatus[] = [];
  private waiting: (() => void)[] = [];

  frame(frame: Frame): void {
    this.frames.push(frame);
    this.wake();
  }

  sound(sound: Sound): void {
    this.sounds.push(sound);
    this.wake();
  }

  status(_feed: string, status: FeedStatus): void {
    this.statuses.push(status);
    this.wake();
  }

  /** All samples that came, in a row. */
  get samples(): Int16Array {
    return Int16Array.from(this.sounds.flatMap((sound) => Array.from(sound.samples)));
  }

  /** Resolves when what is asked for holds; asked again whenever something comes. The test's own timeout ends it. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (holds()) resolve();
        else this.waiting.push(look);
      };
      look();
    });
  }

  /** Resolves with the first status of that state from now on, or that is there already. */
  async state(state: FeedStatus["state"], reason = /(?:)/): Promise<FeedStatus> {
    const find = () => this.statuses.find((one) => one.state === state && reason.test(one.reason ?? ""));
    await this.until(() => find() !== undefined);
    const found = find();
    if (!found) throw new Error(`no status ${state}`);
    return found;
  }

  private wake(): void {
    for (const look of this.waiting.splice(0)) look();
  }
}

const COMMON = { enabled: true, transport: "tcp", loop: false, realtime: true, idle: false } as const;

/** A camera's configuration with the defaults. */
export const cameraFeed = (source: string, changes: Partial<CameraFeed> = {}): CameraFeed => ({
  kind: "camera",
  id: "camera",
  ...COMMON,
  source,
  http: "mjpeg",
  fps: 5,
  hardware: "none",
  gate: { kind: "interval", interval: 1000, heartbeat: 30_000 },
  ...changes,
});

/** A microphone's configuration with the defaults. */
export const microphoneFeed = (source: string, changes: Partial<MicrophoneFeed> = {}): MicrophoneFeed => ({
  kind: "microphone",
  id: "microphone",
  ...COMMON,
  source,
  gate: { kind: "interval", interval: 10_000, length: 2000 },
  ...changes,
});
