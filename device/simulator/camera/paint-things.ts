import type { SKRSContext2D } from "@napi-rs/canvas";
import { type Belt, THINGS, type Thing } from "../world.ts";
import { type Colour, each, type Shade } from "./colour.ts";
import type { Place } from "./place.ts";

/** Ms that a box takes for the way to the next one's place. */
const BELT_PERIOD = 2500;
const CARTON: Colour = [196, 150, 96];

/** A conveyor belt before the people: boxes evenly apart that move, none, or a heap at its end. */
export function paintBelt(
  context: SKRSContext2D,
  { belt, size }: Place,
  state: Belt,
  at: number,
  shade: Shade,
): void {
  const { left, right, y, colour } = belt;
  const thick = size.height * 0.05;
  context.fillStyle = shade(colour);
  context.fillRect(left, y, right - left, thick);
  context.fillStyle = shade(each(colour, (value) => value * 0.6));
  context.fillRect(left, y + thick * 0.75, right - left, thick * 0.25);
  const box = size.height * 0.085;
  if (state === "running") {
    const step = box * 2.6;
    const moved = ((((at % BELT_PERIOD) + BELT_PERIOD) % BELT_PERIOD) / BELT_PERIOD) * step;
    for (let x = left + moved - step; x < right - box; x += step)
      if (x > left - box) paintBox(context, x, y, box, 0, shade);
  }
  if (state === "jammed") {
    const places = [
      [1.1, 0, 0.05],
      [2.0, 0, -0.1],
      [3.0, 0, 0.25],
      [1.6, 0.85, 0.5],
      [2.6, 0.8, -0.35],
    ] as const;
    for (const [along, up, turn] of places)
      paintBox(context, Math.min(right, size.width) - along * box, y - up * box, box, turn, shade);
  }
}

/** Its lower left corner at x, y before it is turned around its middle. */
function paintBox(
  context: SKRSContext2D,
  x: number,
  y: number,
  side: number,
  turn: number,
  shade: Shade,
): void {
  context.save();
  context.translate(x + side / 2, y - side / 2);
  context.rotate(turn);
  context.fillStyle = shade(CARTON);
  context.fillRect(-side / 2, -side / 2, side, side);
  context.fillStyle = shade([150, 108, 62]);
  context.fillRect(-side / 2, -side * 0.08, side, side * 0.16);
  context.restore();
}

/** A desk before the people, and on it each thing at its own third. */
export function paintDesk(
  context: SKRSContext2D,
  { desk, size }: Place,
  things: readonly Thing[],
  shade: Shade,
): void {
  const { left, right, y, colour } = desk;
  context.fillStyle = shade(colour);
  context.fillRect(left, y, right - left, size.height * 0.035);
  context.fillStyle = shade(each(colour, (value) => value * 0.7));
  const inset = (right - left) * 0.05;
  context.fillRect(left + inset, y + size.height * 0.035, right - left - 2 * inset, size.height);
  const unit = size.height * 0.1;
  for (const thing of things) {
    const middle = left + ((THINGS.indexOf(thing) + 0.5) / THINGS.length) * (right - left);
    context.save();
    context.translate(middle, y);
    paintThing(context, thing, unit, shade);
    context.restore();
  }
}

/** Standing on the origin, about `unit` pixels wide. */
function paintThing(context: SKRSContext2D, thing: Thing, unit: number, shade: Shade): void {
  switch (thing) {
    case "cup":
      context.fillStyle = shade([240, 240, 240]);
      context.fillRect(-unit * 0.3, -unit * 0.65, unit * 0.5, unit * 0.65);
      context.strokeStyle = shade([240, 240, 240]);
      context.lineWidth = unit * 0.1;
      context.beginPath();
      context.arc(unit * 0.25, -unit * 0.35, unit * 0.16, -Math.PI / 2, Math.PI / 2);
      context.stroke();
      return;
    case "book":
      context.fillStyle = shade([40, 70, 170]);
      context.fillRect(-unit * 0.55, -unit * 0.3, unit * 1.1, unit * 0.3);
      context.fillStyle = shade([235, 230, 215]);
      context.fillRect(-unit * 0.5, -unit * 0.2, unit * 1.05, unit * 0.1);
      return;
    case "bag":
      context.fillStyle = shade([170, 40, 120]);
      context.beginPath();
      context.moveTo(-unit * 0.5, 0);
      context.lineTo(-unit * 0.38, -unit * 0.75);
      context.lineTo(unit * 0.38, -unit * 0.75);
      context.lineTo(unit * 0.5, 0);
      context.fill();
      context.strokeStyle = shade([120, 25, 85]);
      context.lineWidth = unit * 0.1;
      context.beginPath();
      context.arc(0, -unit * 0.75, unit * 0.22, Math.PI, 2 * Math.PI);
      context.stroke();
      return;
  }
}
