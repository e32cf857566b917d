import { describe, expect, test } from "vitest";
import { LUMA_HEIGHT, LUMA_WIDTH, type Luma } from "../../service/contract/media.ts";
import { Motion } from "../../service/gate/motion.ts";

const config = { threshold: 18, area: 0.004, masks: [] };

/** A scene of soft greys from 40 to 200, as a function of the pixel. */
const scene = (x: number, y: number): number => 40 + ((x * 7 + y * 13) % 160);

function frame(value: (x: number, y: number) => number): Luma {
  const data = new Uint8Array(LUMA_WIDTH * LUMA_HEIGHT);
  for (let y = 0; y < LUMA_HEIGHT; y += 1)
    for (let x = 0; x < LUMA_WIDTH; x += 1)
      data[y * LUMA_WIDTH + x] = Math.max(0, Math.min(255, Math.round(value(x, y))));
  return { width: LUMA_WIDTH, height: LUMA_HEIGHT, data };
}

/** Something dark or bright, `size` pixels wide and high, at (x, y). */
const withObject =
  (atX: number, atY: number, size = 6) =>
  (x: number, y: number): number => {
    const inside = x >= atX && x < atX + size && y >= atY && y < atY + size;
    return inside ? (scene(x, y) + 100) % 256 : scene(x, y);
  };

/** The detector after it has seen the scene for ten frames. */
function learnt(changes: Partial<ConstructorParameters<typeof Motion>[0]> = {}): Motion {
  const motion = new Motion({ ...config, ...changes });
  for (let n = 0; n < 10; n += 1) motion.moved(frame(scene));
  return motion;
}

describe("motion", () => {
  test("the first frame teaches, and a still scene never moves", () => {
    const motion = new Motion(config);
    expect(Array.from({ length: 50 }, () => motion.moved(frame(scene))).some(Boolean)).toBe(false);
  });

  test("something that comes into the picture moves", () => {
    expect(learnt().moved(frame(withObject(20, 10)))).toBe(true);
  });

  test("noise of a few greys does not move", () => {
    const motion = learnt();
    let seed = 1;
    const noise = () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return (seed % 13) - 6;
    };
    const moved = Array.from({ length: 50 }, () => motion.moved(frame((x, y) => scene(x, y) + noise())));
    expect(moved.some(Boolean)).toBe(false);
  });

  test("a change smaller than the area asked for does not move", () => {
    expect(learnt({ area: 0.05 }).moved(frame(withObject(20, 10)))).toBe(false);
  });

  test("something behind a mask does not move, beside it it does", () => {
    const masks: [number, number][][] = [
      [
        [0, 0],
        [0.5, 0],
        [0.5, 1],
        [0, 1],
      ],
    ];
    expect(learnt({ masks }).moved(frame(withObject(10, 10)))).toBe(false);
    expect(learnt({ masks }).moved(frame(withObject(50, 10)))).toBe(true);
  });

  test("a picture that is masked altogether never moves", () => {
    const masks: [number, number][][] = [
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
      ],
    ];
    expect(learnt({ masks }).moved(frame(withObject(10, 10, 20)))).toBe(false);
  });

  const lights: [string, (value: number) => number][] = [
    ["is switched on", (value) => value + 45],
    ["goes out", (value) => value - 30],
    ["is drawn brighter by the camera's exposure", (value) => value * 1.35],
    ["is drawn darker by the camera's exposure", (value) => value * 0.5],
  ];
  for (const [name, light] of lights) {
    test(`light that ${name} does not move, at once or later`, () => {
      const motion = learnt();
      const lit = frame((x, y) => light(scene(x, y)));
      expect(Array.from({ length: 20 }, () => motion.moved(lit)).some(Boolean)).toBe(false);
    });

    test(`something that comes while light ${name} moves`, () => {
      expect(learnt().moved(frame((x, y) => light(withObject(20, 10, 9)(x, y))))).toBe(true);
    });
  }

  test("something that stays becomes part of the scene, and moves again when it goes", () => {
    const motion = learnt();
    const there = frame(withObject(20, 10));
    let frames = 0;
    while (motion.moved(there) && frames < 1000) frames += 1;
    expect(frames).toBeGreaterThan(10);
    expect(frames).toBeLessThan(1000);
    for (let n = 0; n < 50; n += 1) motion.moved(there);
    expect(motion.moved(frame(scene))).toBe(true);
  });
});
