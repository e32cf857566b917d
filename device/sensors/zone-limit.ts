/** No chip's own limit lies outside of these, degrees Celsius; what does is a placeholder (0, -274, 255). */
const LOWEST = 50;
const HIGHEST = 150;
/**
 * How far under the temperature at which it shuts down a chip begins to slow itself down, where it does not
 * say: NVIDIA's Jetson Orin throttles at 99 and shuts down at 104.5.
 */
const BEFORE_SHUTDOWN = 5.5;

export const plausibleLimit = (celsius: number): boolean => celsius >= LOWEST && celsius < HIGHEST;

/** Where slowing down begins, by where shutting down does. */
export const likelyLimit = (critical: number): number => critical - BEFORE_SHUTDOWN;
