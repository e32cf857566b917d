import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { whereabouts } from "../support/engine-whereabouts.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
afterEach(() => served.dispose());

/** llama-server itself, without the gateway. */
function bare() {
  const { target, headers } = whereabouts(served.engine.pid ?? 0);
  const send = (method: string, path: string, body?: object): ClientRequest => {
    const sent = request({
      ...target,
      agent: false,
      method,
      path,
      headers: { ...headers, "content-type": "application/json" },
    });
    sent.end(body && JSON.stringify(body));
    return sent;
  };
  const answered = (sent: ClientRequest) =>
    new Promise<string>((resolve, reject) => {
      sent.once("error", reject);
      sent.once("response", (response: IncomingMessage) => text(response).then(resolve, reject));
    });
  const busy = async () =>
    (JSON.parse(await answered(send("GET", "/slots"))) as { is_processing: boolean }[]).filter(
      ({ is_processing }) => is_processing,
    ).length;
  return { send, answered, busy };
}

it("a client that leaves a whole answer frees its slot while another one's goes on", async () => {
  served = await ServedGateway.begin({ level: { slots: 2, context: 4096 } });
  const { send, answered, busy } = bare();
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
