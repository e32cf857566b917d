import { afterEach, expect, it } from "vitest";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { bareServer } from "../support/engine-whereabouts.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
afterEach(() => served.dispose());

it("a client that leaves a whole answer frees its slot while another one's goes on", async () => {
  served = await ServedGateway.begin({ level: { slots: 2, context: 4096 } });
  const { send, answered, busy } = bareServer(served.engine.pid ?? 0);
  const going = send("POST", "/v1/chat/completions", counting(700, { stream: true }));
  let over = false;
  const whole = answered(going).then(() => {
    over = true;
  });
  const leaving = send("POST", "/v1/chat/completions", counting(700));
  leaving.once("error", () => undefined);
  await until(async () => (await busy()) === 2);
  leaving.destroy();
  await until(async () => (await busy()) === 1);
  // Of the two the one that stayed is still answered: the other did not just come to its end.
  expect(over).toBe(false);
  await whole;
});
