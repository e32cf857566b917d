import { Box } from "../../device/simulator/box/box.ts";
import type { Day } from "../../device/simulator/box/day.ts";
import type { BoxPreset, SimulatedRung } from "../../device/simulator/box/preset.ts";

const TICK = 0.25;
/** As in the loop that the governor lives in. */
const WAITING = 3;

/**
 * The most that could be had of a day: it knows the box's true parameters and temperatures and what is to come,
 * changes its level for nothing and needs no margin; the reserve of memory is
 * others' and it keeps it too. Answers are whole, as they are for
 * the governor. It begins one whenever the best rung that memory has room for would end it without a zone over
 * its limit; otherwise with the next rung that would, otherwise it waits a quarter second. Heat stored earlier
 * can only cost later answers less than it brought, since it decays on the way: to begin whenever possible
 * is best for one rung. `thriftiest` has it use the rung of the least energy alone, whose answers are an
 * upper bound of all.
 */
export function oracle(
  preset: BoxPreset,
  day: Day,
  reserve: number,
  thriftiest = false,
): Map<string, number> {
  const box = new Box(preset, day.around(0));
  const answers = new Map<string, number>();
  const best = preset.ladder[0]?.seconds ?? 1;
  const least = [...preset.ladder].sort((a, b) => a.seconds * a.watts - b.seconds * b.watts)[0];
  const ladder = thriftiest && least ? [least] : preset.ladder;
  const { total, system } = preset.memory;
  let waiting = 0;
  let tick = 0;
  const ticks = day.seconds / TICK;
  const secondOf = (at: number) => Math.min(day.seconds - 1, Math.floor(at * TICK));
  const asked = (at: number) => {
    waiting = Math.min(WAITING, waiting + (day.demand(secondOf(at)) / best) * TICK);
  };
  while (tick < ticks) {
    const { taken } = day.around(secondOf(tick));
    const rung =
      waiting >= 1
        ? ladder.find(
            ({ bytes, ...of }) => total - system - taken - bytes >= reserve && stays(box, day, tick, of),
          )
        : undefined;
    // Questions that come in this tick are there in the next, as in the loop.
    const span = rung ? Math.ceil(rung.seconds / TICK) : 1;
    if (rung) {
      waiting -= 1;
      answers.set(rung.level, (answers.get(rung.level) ?? 0) + 1);
    }
    for (let i = 0; i < span && tick < ticks; i += 1, tick += 1) {
      asked(tick);
      box.warm(TICK, rung?.watts ?? 0, day.around(secondOf(tick)));
    }
  }
  return answers;
}

/** Whether an answer begun now ends without a zone over its limit. */
function stays(box: Box, day: Day, tick: number, { seconds, watts }: Omit<SimulatedRung, "bytes">): boolean {
  const trial = box.copy();
  const end = tick + Math.ceil(seconds / TICK);
  for (let at = tick; at < end; at += 1) {
    trial.warm(TICK, watts, day.around(Math.min(day.seconds - 1, Math.floor(at * TICK))));
    if (trial.headroom < 0) return false;
  }
  return true;
}
