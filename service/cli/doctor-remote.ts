import type { Config } from "../contract/config.ts";
import { ABILITIES } from "../inference/remote-request.ts";
import type { RemoteView } from "../inference/remote-view.ts";
import { systemClock } from "../kernel/clock.ts";
import { silentLogger } from "../kernel/logger.ts";
import { Metrics } from "../kernel/metrics.ts";
import { remoteEngineOf } from "../model/remote.ts";

interface Found {
  readonly mark: "ok" | "note" | "fault";
  readonly text: string;
}

/** Ms that a server may take to answer the probe. */
const PATIENCE = 60_000;

/** What each server elsewhere is and can: it is asked here and now. Empty where the configuration names none. */
export async function remoteServers(config: Config): Promise<Found[]> {
  const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
  const remote = remoteEngineOf(config, undefined, shared);
  if (!remote) return [];
  const never = new AbortController().signal;
  try {
    await remote.start(never);
    await remote.settled(AbortSignal.timeout(PATIENCE));
    const clear = new Set(
      config.engine.remote?.servers.filter(({ cleartext }) => cleartext).map(({ id }) => id),
    );
    return remote.views().flatMap((view) => [
      ...serverFindings(view),
      ...(clear.has(view.id)
        ? [
            {
              mark: "note" as const,
              text: `${view.id}: pictures, sounds and its key cross the network in the clear (cleartext)`,
            },
          ]
        : []),
    ]);
  } finally {
    await remote.stop();
  }
}

function serverFindings({ id, state, reason, model, abilities, latency = 0 }: RemoteView): Found[] {
  if (state === "starting")
    return [{ mark: "fault", text: `${id}: it was not done with the probe after ${PATIENCE / 1000} s` }];
  if (state === "down" || !abilities) return [{ mark: "fault", text: `${id}: ${reason ?? "it is down"}` }];
  const can = ABILITIES.filter((ability) => abilities[ability] === true);
  return [
    {
      mark: "ok",
      text: `${id}: ${model} answers in ${Math.round(latency)} ms, can ${["text", ...can].join(", ")}`,
    },
    ...ABILITIES.flatMap((ability) => {
      const why = abilities[ability];
      return why === true ? [] : [{ mark: "note" as const, text: `${id}: cannot ${ability}: ${why}` }];
    }),
  ];
}
