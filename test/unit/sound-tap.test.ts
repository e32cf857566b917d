import { describe, expect, it } from "vitest";
import { SAMPLE_RATE } from "../../service/contract/media.ts";
import { SoundTap } from "../../service/feeds/sound-tap.ts";
import { FakeClock } from "../support/fake-clock.ts";

const never = new AbortController().signal;

function tapped() {
  const clock = new FakeClock();
  const tap = new SoundTap(clock, ["ward", "hall"]);
  let next = 0;
  /** So many ms of sound, whose samples count up. */
  const send = (feed: string, ms: number) => {
    const samples = Int16Array.from({ length: (ms * SAMPLE_RATE) / 1000 }, () => {
      next = (next + 1) % 30_000;
      return next;
    });
    tap.sound({ feed, at: 0, samples });
    return samples;
  };
  return { clock, tap, send };
}

describe("listening to a microphone", () => {
  it("takes what it sends from now on, exactly as long as was asked, for several at once", async () => {
    const { tap, send } = tapped();
    send("ward", 100);
    const long = tap.take("ward", 0.5, never);
    const first = send("ward", 300);
    const short = tap.take("ward", 0.1, never);
    send("hall", 400);
    const second = send("ward", 300);
    const whole = [...first, ...second];
    expect([...(await long)]).toEqual(whole.slice(0, SAMPLE_RATE / 2));
    expect([...(await short)]).toEqual([...second].slice(0, SAMPLE_RATE / 10));
  });

  it("says which microphones there are, which one is silent, and when too many listen", async () => {
    const { clock, tap, send } = tapped();
    await expect(tap.take("door", 1, never)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "there is no microphone door; there are ward, hall",
    });
    const silent = expect(tap.take("ward", 12, never)).rejects.toMatchObject({ code: "FEED_UNREACHABLE" });
    clock.advance(4_000);
    send("ward", 1_000);
    clock.advance(4_000);
    clock.advance(5_000);
    await silent;
    const gone = new AbortController();
    const many = Array.from({ length: 8 }, () => tap.take("ward", 1, gone.signal));
    await expect(tap.take("hall", 1, never)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    gone.abort();
    for (const { status } of await Promise.allSettled(many)) expect(status).toBe("rejected");
    const after = tap.take("hall", 0.1, never);
    send("hall", 100);
    expect((await after).length).toBe(SAMPLE_RATE / 10);
  });
});
