import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeJpeg } from "../../device/simulator/jpeg.ts";
import { type Layout, layoutOf, paint } from "../../device/simulator/layout.ts";
import { Random } from "../../device/simulator/random.ts";
import type { Raster } from "../../device/simulator/raster.ts";
import { Camera, lumaOf, SIZE } from "../../device/simulator/scene.ts";
import { LIGHTS, Timeline } from "../../device/simulator/timeline.ts";

const AT = 1_760_000_000_200;
const truths = fc.record({
  person: fc.boolean(),
  light: fc.constantFrom(...LIGHTS),
  display: fc.integer({ min: 0, max: 99 }),
});

describe("what is drawn", () => {
  it("is the truth: light, number and person can be read back from the pixels", () => {
    fc.assert(
      fc.property(fc.nat(), truths, (seed, truth) => {
        const layout = layoutOf(new Random(seed), SIZE);
        const drawn = paint(layout, truth, new Random(seed, "visit"), SIZE);
        const empty = paint(layout, { ...truth, person: false }, new Random(seed, "visit"), SIZE);
        expect(readLight(empty, layout)).toBe(truth.light);
        expect(readDisplay(empty, layout)).toBe(truth.display);
        expect(changedPixels(drawn, empty) > 1000).toBe(truth.person);
      }),
      { numRuns: 200 },
    );
  });
});

describe("the simulated camera", () => {
  it("gives the same bytes for the same seed and moment, others for others", () => {
    const picture = new Camera(new Timeline(7)).picture(AT);
    expect(picture).toHaveLength(SIZE * SIZE * 3);
    expect(Buffer.from(new Camera(new Timeline(7)).picture(AT)).equals(picture)).toBe(true);
    expect(encodeJpeg(picture).equals(encodeJpeg(picture))).toBe(true);
    expect(Buffer.from(new Camera(new Timeline(8)).picture(AT)).equals(picture)).toBe(false);
    expect(Buffer.from(new Camera(new Timeline(7)).picture(AT + 200)).equals(picture)).toBe(false);
  });

  it("does not depend on what it showed before", () => {
    const camera = new Camera(new Timeline(7));
    camera.picture(AT - 300_000);
    camera.picture(AT + 90_000);
    expect(Buffer.from(camera.picture(AT)).equals(new Camera(new Timeline(7)).picture(AT))).toBe(true);
  });

  it("is quiet for a motion gate until the scene changes, and then is not", () => {
    const timeline = new Timeline(7);
    const camera = new Camera(timeline);
    const { scene } = timeline.stretchAt(AT);
    const visits = scene.filter(({ truth }, i) => i > 0 && truth.person !== scene[i - 1]?.truth.person);
    expect(visits.length).toBeGreaterThan(0);
    for (const { from } of visits) {
      expect(changedCells(camera, from - 400, from - 200)).toBe(0);
      expect(changedCells(camera, from - 200, from)).toBeGreaterThan(20);
    }
  });
});

function changedCells(camera: Camera, before: number, after: number): number {
  const [first, second] = [lumaOf(camera.picture(before)), lumaOf(camera.picture(after))];
  return first.filter((value, i) => Math.abs(value - (second[i] ?? 0)) > 18).length;
}

function readLight(raster: Raster, { lamp }: Layout): string {
  const x = lamp.x + lamp.width / 2;
  const lit = ["red", "amber", "green"].filter((_, i) => {
    const [red, green] = pixel(raster, x, lamp.y + (i + 0.5) * lamp.height);
    return Math.max(red, green) === 255;
  });
  return lit.length === 1 ? String(lit[0]) : lit.length === 0 ? "off" : "several";
}

/** Strokes from a to g that are lit, by digit: another way to write the table that the renderer draws from. */
const STROKES = [
  "1111110",
  "0110000",
  "1101101",
  "1111001",
  "0110011",
  "1011011",
  "1011111",
  "1110000",
  "1111111",
  "1111011",
];

function readDisplay(raster: Raster, { display }: Layout): number {
  const { x, height } = display;
  return readDigit(raster, display, x) * 10 + readDigit(raster, display, x + height / 2 + 10);
}

function readDigit(raster: Raster, { y, height, colour, stroke }: Layout["display"], x: number): number {
  const [right, middle, bottom] = [x + height / 2, x + height / 4, y + height];
  const places = [
    [middle, y + stroke / 2],
    [right - stroke / 2, y + height / 4],
    [right - stroke / 2, y + (3 * height) / 4],
    [middle, bottom - stroke / 2],
    [x + stroke / 2, y + (3 * height) / 4],
    [x + stroke / 2, y + height / 4],
    [middle, y + height / 2],
  ] as const;
  const lit = places.map(([px, py]) => (pixel(raster, px, py).join() === colour.join() ? "1" : "0"));
  return STROKES.indexOf(lit.join(""));
}

function pixel({ pixels, size }: Raster, x: number, y: number): [number, number, number] {
  const at = (Math.trunc(y) * size + Math.trunc(x)) * 3;
  return [pixels[at] ?? -1, pixels[at + 1] ?? -1, pixels[at + 2] ?? -1];
}

function changedPixels(one: Raster, other: Raster): number {
  return one.pixels.filter((value, i) => value !== other.pixels[i]).length / 3;
}
