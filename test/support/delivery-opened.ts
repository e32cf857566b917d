import type { MqttConfig } from "../../service/contract/config.ts";
import { Delivery } from "../../service/delivery/delivery.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import type { Outbox } from "../../service/record/outbox-row.ts";
import { hurriedClock } from "./hurried-clock.ts";
import { MemoryOutbox } from "./memory-outbox.ts";

type External = Omit<Extract<MqttConfig["broker"], { kind: "external" }>, "kind">;

export interface DeliveryUnderTest {
  readonly delivery: Delivery;
  readonly metrics: Metrics;
}

/** A delivery of node "n1" to an external broker, whose waits are a twentieth of what they are on a box unless another clock is given. */
export function deliveryTo(
  broker: External,
  outbox: Outbox = new MemoryOutbox(),
  window = 500,
  clock: Clock = hurriedClock(20),
): DeliveryUnderTest {
  const metrics = new Metrics();
  const delivery = new Delivery({
    node: "n1",
    version: "1.2.3",
    config: { broker: { kind: "external", ...broker }, prefix: "perch", window, commands: false },
    url: () => undefined,
    outbox,
    clock,
    logger: silentLogger,
    metrics,
  });
  return { delivery, metrics };
}

export async function start(delivery: Delivery): Promise<void> {
  await delivery.start(new AbortController().signal);
}

/** `count` messages on topics of their own, row-1 and up, about 600 bytes each. */
export function rows(count: number, first = 1): { topic: string; payload: string; at: number }[] {
  return Array.from({ length: count }, (_, index) => ({
    topic: `perch/n1/event/w/row-${first + index}`,
    payload: JSON.stringify({ id: first + index, pad: "x".repeat(570) }),
    at: Date.now(),
  }));
}

export const topicsOf = (messages: readonly { topic: string }[]): string[] =>
  messages.map(({ topic }) => topic);

/** Every topic once, where it came first. */
export const firsts = (topics: readonly string[]): string[] => [...new Set(topics)];
