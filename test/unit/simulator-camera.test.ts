import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CellCamera,
  encodeJpeg,
  lumaOf,
  type Picture,
  render,
} from "../../device/simulator/camera/camera.ts";
import { KNOWN_WALLS, NEW_WALLS, type PictureSize, placeOf } from "../../device/simulator/camera/place.ts";
import { Random } from "../../device/simulator/random.ts";
import type { Script } from "../../device/simulator/script.ts";
import { CAMERA_STATES, LIGHTS, type Scene } from "../../device/simulator/world.ts";

const SQUARE = { width: 240, height: 240 };
const WIDE = { width: 336, height: 192 };
const SCENE: Scene = { people: [], light: "red", blinking: false, display: 42, camera: "ok" };
const scenes = fc.record({
  light: fc.constantFrom(...LIGHTS),
  display: fc.integer({ min: 0, max: 99 }),
  blinking: fc.constant(false),
  camera: fc.constant("ok" as const),
  people: fc
    .uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })
    .map((slots) => slots.map((slot) => ({ looks: slot, x: slot / 5, pose: "standing" as const }))),
});

function shoot(seed: number, size: PictureSize, scene: Scene, daylight = 1) {
  const place = placeOf(new Random(seed), size, { walls: [...KNOWN_WALLS, ...NEW_WALLS], variety: 1 });
  return {
    place,
    ...render({ place, scene, at: 0, daylight, fault: new Random(seed, "f"), grain: new Random(seed, "g") }),
  };
}

function pixel({ width, height, rgba }: Picture, [x, y]: readonly [number, number]) {
  const [column, row] = [Math.round(x), Math.round(y)];
  if (column < 0 || row < 0 || column >= width || row >= height) throw new Error(`${x}, ${y} is outside`);
  return [...rgba.subarray((row * width + column) * 4, (row * width + column) * 4 + 3)] as [
    number,
    number,
    number,
  ];
}

const mean = ({ rgba }: Picture) =>
  rgba.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + value), 0) / ((rgba.length / 4) * 3);

/** Mean difference of neighbours along a row. */
function sharpness(picture: Picture): number {
  const luma = lumaOf(picture);
  let sum = 0;
  for (let i = 1; i < luma.length; i += 1) sum += Math.abs((luma[i] ?? 0) - (luma[i - 1] ?? 0));
  return sum / luma.length;
}

function likeness([red, green, blue]: [number, number, number]): string {
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 45) return "grey";
  if (green > red * 1.3) return "green";
  return green > red * 0.45 ? "amber" : "red";
}

const script = (seed: number, scene: Scene): Script => ({
  seed,
  sceneAt: () => scene,
  settingAt: () => ({ place: 3, daylight: 1 }),
  soundsBetween: () => [],
  soundTruth: () => undefined,
});
const hash = ({ rgba }: Picture) => createHash("sha256").update(rgba).digest("hex");

describe("a rendered picture", () => {
  it("shows its light where the landmarks say", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(SQUARE, WIDE), scenes, (seed, size, scene) => {
        const { picture, landmarks } = shoot(seed, size, scene);
        if (scene.light !== "off") expect(likeness(pixel(picture, landmarks.lamp))).toBe(scene.light);
      }),
      { numRuns: 150 },
    );
  });

  it("shows every lamp, digit and head of a person inside, and no head under another", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(SQUARE, WIDE), scenes, (seed, size, scene) => {
        const { picture, landmarks } = shoot(seed, size, scene);
        expect(landmarks.heads).toHaveLength(scene.people.length);
        for (const point of [landmarks.lamp, landmarks.tens, landmarks.units, ...landmarks.heads])
          expect(() => pixel(picture, point)).not.toThrow();
        const xs = landmarks.heads.map(([x]) => x).sort((a, b) => a - b);
        for (let i = 1; i < xs.length; i += 1)
          expect((xs[i] ?? 0) - (xs[i - 1] ?? 0)).toBeGreaterThan(0.12 * size.height);
      }),
      { numRuns: 150 },
    );
  });

  it("keeps lamp and display apart from each other and above the people", () => {
    for (let seed = 0; seed < 300; seed += 1)
      for (const size of [SQUARE, WIDE]) {
        const { lamp, display, head } = placeOf(new Random(seed), size, { walls: KNOWN_WALLS, variety: 1 });
        const panel = [display.x - display.height * 0.2, display.x + display.height * 1.45] as const;
        const apart = lamp.x + lamp.width < panel[0] || lamp.x > panel[1];
        expect(apart).toBe(true);
        expect(Math.min(lamp.x, panel[0])).toBeGreaterThan(0);
        expect(Math.max(lamp.x + lamp.width, panel[1])).toBeLessThan(size.width);
        expect(lamp.y + 3 * lamp.height).toBeLessThan(head - 0.04 * size.height);
      }
  });

  it("shows another number otherwise, and the same one in the same way", () => {
    const pictures = Array.from({ length: 100 }, (_, display) =>
      hash(shoot(5, WIDE, { ...SCENE, display }).picture),
    );
    expect(new Set(pictures).size).toBe(100);
    expect(hash(shoot(5, WIDE, { ...SCENE, display: 7 }).picture)).toBe(pictures[7]);
  });
});

describe("a camera that is not ok", () => {
  it("differs from one that is in what its name says", () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const [ok, dark, blurred, covered, moved] = CAMERA_STATES.map(
        (camera) => shoot(seed, SQUARE, { ...SCENE, camera }).picture,
      );
      if (!ok || !dark || !blurred || !covered || !moved) throw new Error("there are five states");
      expect(mean(dark)).toBeLessThan(20);
      expect(mean(ok)).toBeGreaterThan(25);
      expect(sharpness(blurred)).toBeLessThan(sharpness(ok));
      expect(mean(covered)).toBeGreaterThan(25);
      expect(hash(moved)).not.toBe(hash(ok));
    }
  });

  it("is told from a night", () => {
    for (let seed = 0; seed < 40; seed += 1)
      expect(mean(shoot(seed, WIDE, SCENE, 0).picture)).toBeGreaterThan(
        mean(shoot(seed, WIDE, { ...SCENE, camera: "dark" }, 1).picture),
      );
  });
});

describe("the camera of a script", () => {
  it("gives the same bytes for the same seed and moment, whatever it showed before, and others for others", () => {
    const camera = new CellCamera(script(7, SCENE), WIDE);
    const first = camera.picture(1000);
    camera.picture(99_000);
    expect(hash(camera.picture(1000))).toBe(hash(first));
    expect(hash(new CellCamera(script(7, SCENE), WIDE).picture(1000))).toBe(hash(first));
    expect(hash(new CellCamera(script(8, SCENE), WIDE).picture(1000))).not.toBe(hash(first));
    expect(hash(camera.picture(1200))).not.toBe(hash(first));
    expect(encodeJpeg(first).equals(encodeJpeg(first))).toBe(true);
  });

  it("is lit in one half of a blink and not in the other", () => {
    const lamp = { ...SCENE, blinking: true };
    const camera = new CellCamera(script(7, lamp), SQUARE);
    const off = new CellCamera(script(7, { ...SCENE, light: "off" }), SQUARE);
    expect(hash(camera.picture(1500))).toBe(hash(off.picture(1500)));
    expect(hash(camera.picture(1000))).not.toBe(hash(off.picture(1000)));
  });

  it("renders any size", () => {
    for (const [width, height] of [
      [96, 96],
      [1280, 720],
      [720, 1280],
    ] as const) {
      const picture = new CellCamera(script(7, SCENE), { width, height }).picture(0);
      expect(picture.rgba).toHaveLength(width * height * 4);
      expect(lumaOf(picture)).toHaveLength(64 * 36);
    }
  });
});
