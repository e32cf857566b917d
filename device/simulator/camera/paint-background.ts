import type { SKRSContext2D } from "@napi-rs/canvas";
import { each, type Shade } from "./colour.ts";
import type { Place } from "./place.ts";

/** Wall, floor and what stands about, also beyond the edges: a camera that was moved sees there. */
export function paintBackground(context: SKRSContext2D, place: Place, shade: Shade): void {
  const { size, wall, floor, clutter } = place;
  const { width, height } = size;
  context.fillStyle = shade(wall.colour);
  context.fillRect(-width, -height, 3 * width, 3 * height);
  paintWall(context, place, shade);
  context.fillStyle = shade(floor.colour);
  context.fillRect(-width, floor.y, 3 * width, 2 * height);
  for (const { shape, box, colour } of clutter) {
    context.fillStyle = shade(colour);
    context.beginPath();
    if (shape === "rectangle") context.rect(box.x, box.y, box.width, box.height);
    else
      context.ellipse(
        box.x + box.width / 2,
        box.y + box.height / 2,
        box.width / 2,
        box.height / 2,
        0,
        0,
        2 * Math.PI,
      );
    context.fill();
  }
}

function paintWall(context: SKRSContext2D, { size, wall }: Place, shade: Shade): void {
  const { width, height } = size;
  const { step, other, colour } = wall;
  const line = Math.max(1, height / 160);
  context.fillStyle = shade(other);
  switch (wall.style) {
    case "plain":
      return;
    case "gradient": {
      const fade = context.createLinearGradient(0, 0, width, height * 0.7);
      fade.addColorStop(0, shade(colour));
      fade.addColorStop(1, shade(other));
      context.fillStyle = fade;
      context.fillRect(-width, -height, 3 * width, 3 * height);
      return;
    }
    case "tiles":
      for (let x = 0; x < width; x += step) context.fillRect(x, -height, line, 3 * height);
      for (let y = 0; y < height; y += step) context.fillRect(-width, y, 3 * width, line);
      return;
    case "panels":
      for (let x = 0; x < width; x += 2 * step) context.fillRect(x, -height, step, 3 * height);
      return;
    case "window": {
      const left = (step * 5) % (width * 0.6);
      const top = height * 0.06;
      context.fillStyle = shade(each(other, (value) => value * 0.55 + 90));
      context.fillRect(left, top, height * 0.42, height * 0.34);
      context.fillStyle = shade(each(colour, (value) => value * 0.7));
      context.fillRect(left + height * 0.2, top, line * 2, height * 0.34);
      context.fillRect(left, top + height * 0.17, height * 0.42, line * 2);
      return;
    }
    case "shelves":
      for (let y = height * 0.12; y < height * 0.6; y += step) {
        context.fillStyle = shade(each(other, (value) => value * 0.75));
        context.fillRect(-width, y, 3 * width, 2 * line);
        context.fillStyle = shade(other);
        for (let x = 0; x < width; x += step * 0.8)
          context.fillRect(x, y - step * 0.45, step * 0.3, step * 0.45);
      }
      return;
    case "bricks":
      for (let row = 0, y = 0; y < height; row += 1, y += step * 0.45) {
        context.fillRect(-width, y, 3 * width, line);
        for (let x = row % 2 === 0 ? 0 : step / 2; x < width; x += step)
          context.fillRect(x, y, line, step * 0.45);
      }
      return;
    case "posters":
      for (let x = step * 0.3; x < width; x += step * 1.7) {
        context.fillStyle = shade(other);
        context.fillRect(x, height * 0.1, step, step * 1.35);
        context.fillStyle = shade(each(other, (value) => 255 - value));
        for (let row = 1; row < 5; row += 1)
          context.fillRect(x + step * 0.15, height * 0.1 + row * step * 0.24, step * 0.7, line * 1.5);
      }
      return;
  }
}
