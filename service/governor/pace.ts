import type { Governor } from "../contract/config-governor.ts";
import type { Hottest } from "./heat.ts";

/** Proportional part: pace a kelvin of room. */
const GAIN = 0.05;
/** Above the setpoint it is this many times as steep: heat comes faster than it goes. */
const STEEPER = 3;
/** Time of the integral part, s. */
const INTEGRAL_TIME = 60;
/** From this much room on nothing holds the pace back, K. */
const FREE = 10;
/** Whole answers make the temperature swing; the pace goes by the peaks and forgets one in this time, s. */
const PEAK_TIME = 45;
/** Time over which the work that was done is averaged, s. */
const DUTY_TIME = 30;
/** Work at or above this share of the pace: the pace is what holds it back. */
const BINDING = 0.8;

export interface Pacing {
  readonly pace: number;
  readonly integral: number;
  /** Room as the pace takes it: of the last peak, K. Null before the first reading. */
  readonly room: number | null;
  /** Share of the time that the model has worked, and might have, of late. Null before the first call. */
  readonly duty: number | null;
  readonly allowed: number;
  /** The pace is 0 until the heat has gone. */
  readonly critical: boolean;
}

/** Whether the model works as much as it may, so that the pace costs answers. */
export const binds = ({ duty, allowed }: Pacing): boolean => duty !== null && duty >= BINDING * allowed;

/** How much the model has worked since the last call, into the averages. */
export function observeWork(pacing: Pacing, worked: number, dt: number): Pacing {
  const share = dt / (DUTY_TIME + dt);
  const before = pacing.duty ?? worked;
  return {
    ...pacing,
    duty: before + share * (worked - before),
    allowed: pacing.allowed + share * (pacing.pace - pacing.allowed),
  };
}

/**
 * The pace that holds the hottest zone under its limit less the margin: PI control on the room that is left.
 * Against wind-up at the upper end the integral is calculated back at once (tracking time nought), at the
 * lower end it stands still (conditional integration): K. Astrom and T. Hagglund, Advanced PID Control, 2006,
 * section 3.5. While the model has less to do than it may, the integral does not grow and sinks to what is
 * done: a lull charges nothing up that a rush would then let off.
 */
export function holdPace(
  pacing: Pacing,
  hottest: Hottest,
  limits: Governor,
  throttled: boolean,
  dt: number,
): Pacing {
  const before = pacing.room ?? hottest.room;
  const room = Math.min(hottest.room, before + (hottest.room - before) * (dt / (PEAK_TIME + dt)));
  const proportional = GAIN * (room < 0 ? STEEPER * room : Math.min(room, FREE));
  const integral = integrated(pacing, room, proportional, dt);
  const wanted = Math.min(1, Math.max(limits.floor, integral + proportional));

  // Hardware that calls itself too hot at a low temperature has another reason, or a sensor that is wrong.
  const critical =
    (throttled && room < FREE) ||
    hottest.celsius >= hottest.limit - limits.margin / 2 ||
    (pacing.critical && hottest.celsius > hottest.limit - limits.margin);
  const pace = critical ? 0 : throttled ? Math.min(wanted, limits.safe) : wanted;
  return { ...pacing, pace, integral, room, critical };
}

function integrated(pacing: Pacing, room: number, proportional: number, dt: number): number {
  const { integral } = pacing;
  const duty = pacing.duty ?? 1;
  const grown = integral + ((GAIN * Math.min(room, FREE)) / INTEGRAL_TIME) * dt;
  const most = 1 - Math.max(0, proportional);
  if (room >= FREE) return most;
  if (room < 0) return integral + proportional > 0 ? Math.min(most, grown) : integral;
  if (binds(pacing)) return Math.min(most, grown);
  return Math.min(most, integral > duty ? integral + (duty - integral) * (dt / INTEGRAL_TIME) : integral);
}

/** Without any temperature: no faster than what is safe, nor than what was held when the last one was seen. */
export function blindPace(pacing: Pacing, limits: Governor): Pacing {
  const pace = Math.min(limits.safe, pacing.room === null ? 1 : pacing.pace);
  return { ...pacing, pace, integral: pace, critical: false };
}
