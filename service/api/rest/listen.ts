import Type from "typebox";
import { wavOf } from "../../inference/media-check.ts";
import type { Access } from "../access/access.ts";
import { gone } from "../gone.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

/** Microphones, for whoever wants to hear one. */
export interface ListenDesk {
  /**
   * The next seconds of a microphone: 16 kHz, mono. Rejects with NOT_FOUND, FEED_UNREACHABLE, QUEUE_FULL or
   * CANCELLED.
   */
  take(feed: string, seconds: number, signal: AbortSignal): Promise<Int16Array>;
}

interface Options {
  readonly microphones: ListenDesk;
  readonly access: Access;
}

const Seconds = Type.Number({
  minimum: 0.5,
  maximum: 15,
  default: 5,
  description: "How long to listen, from now on.",
});

/** What a microphone hears, as a file. */
export function listenRoutes(app: Api, { microphones, access }: Options): void {
  app.get(
    "/api/feeds/:id/clip.wav",
    {
      ...access.guarded("feeds.read"),
      schema: {
        ...described("feeds", "Listen to a microphone: WAV, 16 kHz, mono"),
        params: Type.Object({ id: Type.String() }),
        querystring: Type.Object({ seconds: Seconds }, { additionalProperties: false }),
      },
    },
    async ({ params: { id }, query: { seconds } }, reply) => {
      const samples = await microphones.take(id, seconds, gone(reply).signal);
      return reply.header("cache-control", "no-store").type("audio/wav").send(wavOf(samples));
    },
  );
}
