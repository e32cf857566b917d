export type Colour = readonly [red: number, green: number, blue: number];

/** How a surface that does not shine itself looks in the light of the hour, as CSS. */
export type Shade = (colour: Colour) => string;

/** Every channel changed, and kept within 0 to 255. */
export function each(colour: Colour, change: (value: number, channel: number) => number): Colour {
  const [red, green, blue] = colour;
  const cut = (value: number) => Math.max(0, Math.min(255, value));
  return [cut(change(red, 0)), cut(change(green, 1)), cut(change(blue, 2))];
}

export const css = ([red, green, blue]: Colour, alpha = 1): string =>
  `rgba(${Math.round(red)},${Math.round(green)},${Math.round(blue)},${alpha})`;

/** The light of the hour, 0 night to 1 noon. Night is dim and bluish, never black: that would be a camera that does not see. */
export function shadeAt(daylight: number): Shade {
  const ambient = 0.34 + 0.66 * daylight;
  const tint = [ambient * (0.85 + 0.15 * daylight), ambient * (0.92 + 0.08 * daylight), ambient] as const;
  return (colour) => css(each(colour, (value, channel) => value * (tint[channel] ?? 1)));
}
