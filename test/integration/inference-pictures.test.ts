import { afterAll, beforeAll, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { LocalEngine } from "../../service/inference/local-engine.ts";
import { prepareImage } from "../../service/inference/media-check.ts";
import { anySignal, EngineBench } from "../support/engine-bench.ts";
import { ffmpeg } from "../support/engine-media.ts";
import { SQUARE_AND_WIDE } from "../support/image-shapes.ts";

const schema: AnswerSchema = { person: { type: "boolean" } };
/** A token before and one after the patches of each picture. */
const MARKS = 2;

let bench: EngineBench;
let engine: LocalEngine;
beforeAll(async () => {
  bench = new EngineBench();
  engine = await bench.started({ level: { image: SQUARE_AND_WIDE } });
});
afterAll(() => bench.dispose());

/** A picture of that size as `perch ask` takes it. */
const prepared = (size: string) =>
  prepareImage(
    ffmpeg("-f", "lavfi", "-i", `testsrc=s=${size}`, "-frames:v", "1", "-f", "mjpeg"),
    engine.image,
  );

async function promptTokens(...images: Buffer[]): Promise<number> {
  const reply = await engine.ask({ question: "Describe the image.", schema, images }, anySignal());
  expect(Object.keys(JSON.parse(reply.text))).toEqual(["person"]);
  return reply.tokens.prompt;
}

it("a picture of either of a level's grids reaches the model as it is, patch by patch", async () => {
  const none = await promptTokens();
  expect((await promptTokens(await prepared("480x480"))) - none).toBe(5 * 5 + MARKS);
  expect((await promptTokens(await prepared("1280x720"))) - none).toBe(7 * 4 + MARKS);
});

it("several pictures reach the model in one question, of one size or of two", async () => {
  const none = await promptTokens();
  const [square, wide] = [await prepared("480x480"), await prepared("1280x720")];
  expect((await promptTokens(square, square)) - none).toBe(2 * (25 + MARKS));
  expect((await promptTokens(wide, square, wide)) - none).toBe(28 + 25 + 28 + 3 * MARKS);
  expect((await promptTokens(square, square, square, square)) - none).toBe(4 * (25 + MARKS));
});
