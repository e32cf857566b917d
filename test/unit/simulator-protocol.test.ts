import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Decoder, encode, type Message } from "../../device/simulator/protocol.ts";
import { LUMA_HEIGHT, LUMA_WIDTH } from "../../service/contract/media.ts";

const LUMA = LUMA_WIDTH * LUMA_HEIGHT;
const at = fc.integer({ min: 0, max: 4_000_000_000_000 });
const frames = fc.record({
  kind: fc.constant("frame" as const),
  at,
  truth: fc.dictionary(fc.string(), fc.oneof(fc.boolean(), fc.integer(), fc.string({ unit: "grapheme" })), {
    noNullPrototype: true,
  }),
  luma: fc.uint8Array({ minLength: LUMA, maxLength: LUMA }),
  jpeg: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});
const sounds = fc.record({
  kind: fc.constant("sound" as const),
  at,
  samples: fc.int16Array({ maxLength: 400 }),
});

describe("the cell's messages", () => {
  it("arrive as they were sent, however the stream is cut", () => {
    const messages = fc.array<Message>(fc.oneof(frames, sounds), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(encode));
        const decoder = new Decoder();
        const received: Message[] = [];
        for (let from = 0, i = 0; from < stream.length; i += 1) {
          const to = from + (cuts[i % cuts.length] ?? 1);
          received.push(...decoder.push(stream.subarray(from, to)));
          from = to;
        }
        expect(received.map(plain)).toEqual(sent.map(plain));
      }),
      { numRuns: 50 },
    );
  });

  it("are not read from a stream of something else", () => {
    expect(() => new Decoder().push(Buffer.from("Error: no such file"))).toThrow("none of the cell's");
    expect(() => new Decoder().push(Buffer.from([9, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0]))).toThrow(
      "kind 77",
    );
  });
});

function plain(message: Message): object {
  return message.kind === "frame"
    ? { ...message, luma: [...message.luma], jpeg: [...message.jpeg] }
    : { ...message, samples: [...message.samples] };
}
