import type { Truth } from "../../../service/contract/media.ts";
import type { Script, Setting, SoundSegment } from "../script.ts";
import type { Scene } from "../world.ts";
import { clipTruth } from "./heard.ts";
import type { Scenario } from "./scenario.ts";

/**
 * A scenario on the wall clock: it begins at `begin`, epoch ms, and begins anew at its end or, where it does
 * not loop, stays as it ended. Before its beginning all is as it is at its beginning, and silent.
 */
export class Playing implements Script {
  readonly seed: number;

  constructor(
    private readonly scenario: Scenario,
    private readonly begin: number,
  ) {
    this.seed = scenario.seed;
  }

  sceneAt(at: number): Scene {
    return this.scenario.sceneAt(this.within(at));
  }

  settingAt(at: number): Setting {
    return this.scenario.settingAt(this.within(at));
  }

  soundsBetween(from: number, to: number): SoundSegment[] {
    const found: SoundSegment[] = [];
    for (let round = this.roundAt(from); round <= this.roundAt(to); round += 1) {
      const begin = this.begin + round * this.scenario.length;
      for (const sound of this.scenario.soundsBetween(from - begin, to - begin))
        found.push({ ...sound, from: sound.from + begin, to: sound.to + begin });
    }
    return found;
  }

  soundTruth(from: number, to: number): Truth | undefined {
    return clipTruth(this.soundsBetween(from, to), from, to);
  }

  /** Ms of the scenario. */
  private within(at: number): number {
    return at - this.begin - this.roundAt(at) * this.scenario.length;
  }

  /** How often it has ended. */
  private roundAt(at: number): number {
    return this.scenario.loop ? Math.max(0, Math.floor((at - this.begin) / this.scenario.length)) : 0;
  }
}
