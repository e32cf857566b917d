import type { Metrics } from "../../kernel/metrics.ts";
import type { Health } from "../../kernel/part.ts";
import type { Access } from "../access/access.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

interface Options {
  readonly version: string;
  /** Health of every part by name. */
  readonly health: () => Record<string, Health>;
  /** Parts without which nothing is watched, of each list one; /health/ready asks for them. */
  readonly essential: readonly (readonly string[])[];
  readonly metrics: Metrics;
  readonly access: Access;
}

/** Whether the service lives, whether it does its work, and its figures for Prometheus. */
export function systemRoutes(app: Api, { version, health, essential, metrics, access }: Options): void {
  app.get(
    "/health/live",
    { config: { open: true }, schema: described("system", "Whether the service runs") },
    async () => ({ status: "live", version }),
  );
  app.get(
    "/health/ready",
    {
      ...access.guarded("health.read"),
      schema: described("system", "Whether every part does its work; 503 where one that is needed does not"),
    },
    async ({ caller }, reply) => {
      const parts = health();
      const missing = essential
        .filter((names) => names.every((name) => parts[name]?.state !== "ok"))
        .map((names) => names.join(" or "));
      const ready = missing.length === 0;
      reply.code(ready ? 200 : 503);
      const told = access.may(caller, "metrics.read") ? { parts } : {};
      return { status: ready ? "ready" : "not ready", missing, version, ...told };
    },
  );
  app.get(
    "/metrics",
    { ...access.guarded("metrics.read"), schema: described("system", "Figures for Prometheus") },
    async (_request, reply) => {
      for (const [part, { state }] of Object.entries(health()))
        metrics.partHealth.set({ part }, state === "ok" ? 1 : 0);
      reply.type(metrics.registry.contentType);
      return metrics.registry.metrics();
    },
  );
}
