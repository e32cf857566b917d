import fc from "fast-check";
import { expect, test } from "vitest";
import { CHUNK_SAMPLES, SoundChunks, SoundClock } from "../../device/feeds/sound-chunks.ts";

test("any chunking of a stream of samples gives them all back, 20 ms at a time", () => {
  fc.assert(
    fc.property(fc.int16Array({ maxLength: 2000 }), fc.array(fc.nat()), (samples, cuts) => {
      const bytes = new Uint8Array(samples.buffer.slice(0));
      const chunks = new SoundChunks();
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      let from = 0;
      const full = ends.flatMap((end) => {
        const given = chunks.push(bytes.subarray(from, end));
        from = end;
        return given;
      });
      expect(full.every((chunk) => chunk.length === CHUNK_SAMPLES)).toBe(true);
      const rest = chunks.end();
      const all = [...full, ...(rest ? [rest] : [])].flatMap((chunk) => [...chunk]);
      expect(all).toEqual([...samples]);
    }),
  );
});

test("half a sample at the end of a stream is none", () => {
  const chunks = new SoundChunks();
  chunks.push(Uint8Array.of(1));
  expect(chunks.end()).toBeUndefined();
});

test("chunks that arrive in bursts are stamped 20 ms apart", () => {
  const clock = new SoundClock(true);
  const stamps = Array.from({ length: 10 }, () => clock.stamp(CHUNK_SAMPLES, 1000));
  const steps = stamps.slice(1).map((at, index) => at - (stamps[index] ?? 0));
  for (const step of steps) expect(Math.abs(step - 20)).toBeLessThan(1);
});

test("a sound card whose clock is slow does not fall behind the wall clock", () => {
  const clock = new SoundClock(true);
  // Half a percent slow, for an hour.
  let last = 0;
  let now = 0;
  for (let chunk = 0; chunk < 3600 * 50; chunk += 1) {
    now += 20.1;
    last = clock.stamp(CHUNK_SAMPLES, now);
  }
  expect(Math.abs(now - 20 - last)).toBeLessThan(50);
});

test("sound that comes again after a gap has the time at which it comes", () => {
  const clock = new SoundClock(true);
  clock.stamp(CHUNK_SAMPLES, 1000);
  expect(clock.stamp(CHUNK_SAMPLES, 60_000)).toBe(59_980);
});

test("a file played faster than it was recorded keeps its own time", () => {
  const clock = new SoundClock(false);
  clock.stamp(CHUNK_SAMPLES, 1000);
  expect(clock.stamp(CHUNK_SAMPLES, 60_000)).toBe(1000);
});
