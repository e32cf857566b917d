import fvad from "@echogarden/fvad-wasm";
import { SAMPLE_RATE } from "../contract/media.ts";
import type { Detector } from "./clip-cutter.ts";

/** What this room uses of the WebRTC voice activity detector in WebAssembly. */
interface Fvad {
  readonly HEAP16: Int16Array;
  _malloc(bytes: number): number;
  _fvad_new(): number;
  _fvad_set_mode(instance: number, aggressiveness: number): number;
  _fvad_set_sample_rate(instance: number, rate: number): number;
  /** 1 voice, 0 none, -1 where the length is none of 10, 20 or 30 ms. */
  _fvad_process(instance: number, samples: number, length: number): number;
}

const load: () => Promise<Fvad> = fvad;
/** One module serves all microphones; each has an instance of its own in it. */
let loaded: Promise<Fvad> | undefined;

/** Voice activity by WebRTC's detector. `aggressiveness`: 0 takes much for a voice, 3 little. */
export async function voiceDetector(aggressiveness: number): Promise<Detector> {
  loaded ??= load();
  const module = await loaded;
  const instance = module._fvad_new();
  module._fvad_set_mode(instance, aggressiveness);
  module._fvad_set_sample_rate(instance, SAMPLE_RATE);
  let room = { samples: 0, pointer: 0 };
  return (frame) => {
    if (room.samples < frame.length)
      room = { samples: frame.length, pointer: module._malloc(frame.byteLength) };
    module.HEAP16.set(frame, room.pointer / 2);
    return module._fvad_process(instance, room.pointer, frame.length) === 1;
  };
}
