import type { Prompt } from "./engine.ts";

/** A grey picture of 48 x 48 pixels. */
export const GREY = Buffer.from(
  "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAgoKC8oLzc3Nzc3N0E8QUNDQ0FBQUFDQ0NISEhVVVVISEhDQ0hIUFBVVVxfXFdXVVdfX2RkZHh4c3OMjJGsrM//xABKAAEAAAAAAAAAAAAAAAAAAAAAAQEAAAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAAAAAAEQEAAAAAAAAAAAAAAAAAAAAA/8AAEQgAMAAwAwEiAAIRAAMRAP/aAAwDAQACEQMRAD8AAAAAAAAAAAAAAAAAAA//2Q==",
  "base64",
);

/** What a new engine must answer before it counts as ready: it goes through the projector, the grammar and the decoder. */
export const PROBE: Prompt = {
  question: "Describe the image.",
  images: [GREY],
  schema: { ready: { type: "boolean" } },
};
