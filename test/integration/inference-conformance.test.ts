import type { RemoteServerConfig } from "../../service/contract/config-remote.ts";
import { RemoteEngine } from "../../service/inference/remote-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { conformance, type Subject } from "../support/conformance.ts";
import { anySignal, EngineBench } from "../support/engine-bench.ts";
import { SQUARE_AND_WIDE } from "../support/image-shapes.ts";
import { LlamaServer } from "../support/llama-server.ts";
import { StrictProxy } from "../support/strict-proxy.ts";

conformance("the local engine", async () => {
  const bench = new EngineBench();
  const engine = await bench.started({ level: { slots: 2 } });
  const { stamp } = engine;
  const { level, ladder } = stamp;
  return {
    engine,
    stamp,
    running: { ladder, levels: [level], level, reason: undefined },
    pid: () => engine.pid ?? 0,
    dispose: () => bench.dispose(),
  };
});

async function elsewhere(
  server: Pick<RemoteServerConfig, "id" | "url" | "key">,
  model: string,
  pid: number,
  stop: () => Promise<void>,
): Promise<Subject> {
  const engine = new RemoteEngine({
    config: { mode: "instead", servers: [{ ...server, slots: 2, cleartext: false }] },
    image: SQUARE_AND_WIDE,
    order: "media-first",
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
  });
  await engine.start(anySignal());
  return {
    engine,
    stamp: { ladder: "remote", level: server.id, model, server: server.id },
    running: { ladder: "remote", levels: [], level: undefined, reason: undefined },
    pid: () => pid,
    dispose: async () => {
      await engine.stop();
      await stop();
    },
  };
}

conformance("llama-server elsewhere", async () => {
  const server = await LlamaServer.start({ level: { slots: 2 } });
  const { url, key } = server;
  return elsewhere({ id: "other-box", url, key }, "small-model", server.pid, () => server.stop());
});

conformance("a server elsewhere that knows OpenAI's fields only", async () => {
  const server = await LlamaServer.start({ level: { slots: 2 } });
  const proxy = await StrictProxy.start(server);
  const { url, key } = proxy;
  return elsewhere({ id: "strict", url, key }, "org/model-1", server.pid, async () => {
    await proxy.stop();
    await server.stop();
  });
});
