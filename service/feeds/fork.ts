import type { FeedSink } from "../contract/feed-source.ts";

/** One sink of several: what feeds give goes to each that takes it, in order. */
export const forked = (...sinks: readonly Partial<FeedSink>[]): FeedSink => ({
  frame(frame) {
    for (const sink of sinks) sink.frame?.(frame);
  },
  sound(sound) {
    for (const sink of sinks) sink.sound?.(sound);
  },
  status(feed, status) {
    for (const sink of sinks) sink.status?.(feed, status);
  },
});
