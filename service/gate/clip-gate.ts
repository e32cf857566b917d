import type { MicrophoneGate } from "../contract/config-feeds.ts";
import type { Sound } from "../contract/media.ts";
import { ClipCutter, type Cut } from "./clip-cutter.ts";
import { IntervalCutter } from "./interval-cutter.ts";
import { levelDetector } from "./level.ts";
import { voiceDetector } from "./voice.ts";

/** Cuts a microphone's sound into the clips that are worth the model. */
export interface ClipGate {
  /** The clips that this sound completes, and how many sounds were too short to be one. */
  push(sound: Sound): Cut;
}

export async function createClipGate(config: MicrophoneGate): Promise<ClipGate> {
  switch (config.kind) {
    case "voice":
      return new ClipCutter("voice", config, await voiceDetector(config.aggressiveness));
    case "sound":
      return new ClipCutter("sound", config, levelDetector(config));
    case "interval":
      return new IntervalCutter(config);
  }
}
