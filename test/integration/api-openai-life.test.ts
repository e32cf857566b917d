import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import Fastify from "fastify";
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { engineWording } from "../../service/api/openai/form.ts";
import { StreamedAnswer } from "../../service/api/openai/sinks.ts";
import type { Engine, Prompt, RawRequest } from "../../service/inference/engine.ts";
import type { LadderEngine } from "../../service/inference/ladder-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { picture } from "../support/engine-media.ts";
import { bareServer } from "../support/engine-whereabouts.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
afterEach(() => served.dispose());

/** Long enough that it is still under way when something is done to it. */
const LONG = 290;
const underWay = () => served.inference.health().detail?.underWay;
const waiting = () => served.inference.health().detail?.waiting;
const ask = async (count = 3) =>
  (await served.client.chat.completions.create(counting(count))).choices[0]?.message.content;

/** A long stream, of which the first piece is read. */
async function stream(body: object = {}) {
  const given = new AbortController();
  const chunks = await served.client.chat.completions.create(
    { ...counting(LONG, body), stream: true },
    { signal: given.signal },
  );
  const reader = chunks[Symbol.asyncIterator]();
  let text = "";
  while (text === "") text += (await reader.next()).value?.choices[0]?.delta.content ?? "";
  return {
    goAway: () => given.abort(),
    rest: async () => {
      for (let next = await reader.next(); !next.done; next = await reader.next())
        text += next.value.choices[0]?.delta.content ?? "";
      return text;
    },
  };
}

describe("a client that goes away", () => {
  it.each([
    ["in the middle of a stream", async () => (await stream()).goAway()],
    [
      "while it waits for a whole answer",
      async () => {
        const given = new AbortController();
        const asked = served.client.chat.completions
          .create(counting(LONG), { signal: given.signal })
          .catch((error: unknown) => error);
        await until(() => underWay() === 1);
        await wait(50);
        given.abort();
        expect(await asked).toBeInstanceOf(OpenAI.APIUserAbortError);
      },
    ],
  ])("%s frees the engine's only slot for the next", async (_, leave) => {
    served = await ServedGateway.begin({ level: { slots: 1 } });
    await ask();
    const whole = await timed(() => ask(LONG));
    await leave();
    const left = performance.now();
    await until(() => underWay() === 0);
    expect(performance.now() - left).toBeLessThan(200);
    // The engine itself has stopped too: what comes next does not wait for the rest of the other answer.
    expect(await timed(() => ask(1))).toBeLessThan(Math.max(200, whole / 2));
  });

  it("in the queue is never asked", async () => {
    served = await ServedGateway.begin({ level: { slots: 1 } });
    const long = await stream();
    const given = new AbortController();
    const asked = served.client.chat.completions
      .create(counting(3), { signal: given.signal })
      .catch((error: unknown) => error);
    await until(() => waiting() === 1);
    given.abort();
    await until(() => waiting() === 0);
    await asked;
    expect((await long.rest()).split(",")).toHaveLength(LONG);
  });
});

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
};

describe("with the watches", () => {
  it("two streams and a watch's question share two slots, and all are answered", async () => {
    served = await ServedGateway.begin();
    const streams = [await stream(), await stream()];
    const watch = served.inference.submit({
      prompt: {
        question: "Describe the image.",
        images: [picture(1)],
        schema: { person: { type: "boolean" } },
      },
      lane: "watch",
      deadline: systemClock.monotonic() + 30_000,
    });
    expect(waiting()).toBe(1);
    for (const one of streams) expect((await one.rest()).split(",")).toHaveLength(LONG);
    expect((await watch).reply.text).toMatch(/^\{"person":(true|false)\}$/);
  });

  it("a full queue is 429 with Retry-After, and a passed deadline 504", async () => {
    served = await ServedGateway.begin({ level: { slots: 1 }, capacity: 1 });
    const long = await stream();
    const patient = served.post(counting(3));
    await until(() => waiting() === 1);
    const full = await served.post(counting(3));
    expect([full.status, full.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await full.json()).toMatchObject({ error: { type: "rate_limit_error", code: "queue_full" } });
    await long.rest();
    expect((await patient).status).toBe(200);

    const another = await stream();
    const late = await served.post(counting(3), { "x-perch-deadline": "100" });
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ error: { type: "server_error", code: "deadline_passed" } });
    await another.rest();
  });
});

describe("another level", () => {
  it("comes beside a stream, which ends whole, and the next answer is the new one's", async () => {
    served = await ServedGateway.begin();
    const long = await stream();
    await served.engine.switchTo("two", { way: "beside" });
    await long.rest();
    const { response } = await served.client.chat.completions.create(counting(2)).withResponse();
    expect(response.headers.get("x-perch-level")).toBe("two");
    const pinned = await served.post(counting(2, { model: "perch@one" }));
    expect(pinned.status).toBe(409);
    expect(pinned.headers.get("x-should-retry")).toBe("false");
  });

  it("that takes the place at once breaks a stream with an error that the client sees, and whole answers are asked again", async () => {
    served = await ServedGateway.begin();
    const long = await stream();
    const whole = served.client.chat.completions.create(counting(LONG)).withResponse();
    await until(() => underWay() === 2);
    await served.engine.switchTo("two", { way: "after", atOnce: true });
    await expect(long.rest()).rejects.toMatchObject({ code: "engine_unavailable", type: "server_error" });
    const { data, response } = await whole;
    expect(response.headers.get("x-perch-level")).toBe("two");
    expect(data.choices[0]?.message.content?.split(",")).toHaveLength(LONG);
  });

  it("is waited for; one that was asked for by name and went meanwhile is 409", async () => {
    served = await ServedGateway.begin({ level: { slots: 1 } });
    const long = await stream();
    const pinned = served.post(counting(2, { model: "perch@one" }));
    await until(() => waiting() === 1);
    const switching = served.engine.switchTo("two", { way: "after" });
    const any = ask();
    await switching;
    await long.rest().catch(() => undefined);
    expect((await pinned).status).toBe(409);
    expect(await (await pinned).json()).toMatchObject({
      error: { code: "level_not_running", message: expect.stringContaining("two runs now") },
    });
    expect((await any)?.split(",")).toHaveLength(3);
  });

  it("where none runs it is 503 with the reason, without a path in it", async () => {
    served = await ServedGateway.begin({ runs: null });
    const early = served.post(counting(2), { "x-perch-deadline": "300" });
    await wait(50);
    await served.engine.pause("the file /srv/models/a.gguf is missing");
    const response = await served.post(counting(2));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("10");
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toBe("no level of the model runs: the file … is missing");
    expect((await early).status).toBe(504);
    expect(await (await early).text()).toContain("no level ran before the deadline: the file … is missing");
    expect((await served.client.models.list()).data.map(({ id }) => id)).toEqual(["perch"]);
  });
});

describe("a request under which the engine dies", () => {
  /**
   * The real engine, which gets kill -9 once it has sent `after` events to a request that holds "KILLER", or works on
   * it and on all that is asked beside it where the answer comes whole.
   */
  const killing =
    (after: number) =>
    (engine: LadderEngine): Engine => {
      let asked = 0;
      const counted = <T>(asking: Promise<T>): Promise<T> => {
        asked += 1;
        return asking.finally(() => {
          asked -= 1;
        });
      };
      return Object.assign(Object.create(engine) as Engine, {
        ask: (work: Prompt | RawRequest, signal: AbortSignal) => {
          if (!("sink" in work) || !work.body.includes("KILLER")) return counted(engine.ask(work, signal));
          let events = 0;
          const { sink } = work;
          const { pid = 0 } = engine;
          const kill = () => process.kill(pid, "SIGKILL");
          if (work.whole) {
            const answered = counted(engine.ask(work, signal));
            const { busy } = bareServer(pid);
            void until(async () => (await busy()) === asked).then(kill, () => undefined);
            return answered;
          }
          return engine.ask(
            {
              ...work,
              sink: {
                get begun() {
                  return sink.begun;
                },
                begin: (stamp, queued) => sink.begin(stamp, queued),
                take: (event) => {
                  events += 1;
                  if (events === after) kill();
                  return sink.take(event);
                },
              },
            },
            signal,
          );
        },
      });
    };
  const killer = (more: object = {}) =>
    counting(LONG, { messages: [{ role: "user", content: "KILLER" }], ...more });
  const restarts = () => served.bench.metrics.total(served.bench.metrics.restarts);

  it("after the first bytes ends with an error; its repeat is asked alone, and not a third time", async () => {
    served = await ServedGateway.begin({ between: killing(5) });
    const body = killer({ stream: true });
    const broken = await (await served.post(body)).text();
    expect(broken).toMatch(
      /data: \{"error":\{"message":"the model's engine failed under this request".*\n\n$/,
    );
    expect(broken).not.toContain("[DONE]");
    expect(broken).not.toMatch(/SIGKILL|\/tmp/);
    const again = await (await served.post(body)).text();
    expect(again).toContain('"code":"engine_poison"');
    expect(await restarts()).toBe(1);
    await ask();
    expect(await restarts()).toBe(2);
    const third = await served.post(body);
    expect([third.status, third.headers.get("x-should-retry")]).toEqual([500, "false"]);
    expect(await third.json()).toMatchObject({ error: { type: "server_error", code: "engine_poison" } });
    expect(await restarts()).toBe(2);
  });

  it("as a whole answer is asked once more, alone, and then refused; a neighbour is answered", async () => {
    served = await ServedGateway.begin({ between: killing(5) });
    const neighbour = ask(LONG);
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: "none", maxRetries: 2 });
    await expect(client.chat.completions.create(killer())).rejects.toMatchObject({
      status: 500,
      code: "engine_poison",
    });
    expect((await neighbour)?.split(",")).toHaveLength(LONG);
    await ask();
    expect(await restarts()).toBe(2);
  });
});

describe("a client that does not read", () => {
  /** What a stream does while its client has read nothing yet. */
  async function stalled(stall: number) {
    served = await ServedGateway.begin({ runs: null });
    const app = Fastify({ forceCloseConnections: true });
    let given = 0;
    let answer: StreamedAnswer | undefined;
    app.get("/", (_, reply) => {
      answer = new StreamedAnswer(reply, engineWording("chat"), () => given++, stall);
      return reply;
    });
    const url = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
    const socket = connect(Number(url.port), url.hostname);
    socket.write(`GET / HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`);
    socket.pause();
    await until(() => answer !== undefined);
    // Until the kernel takes no more for it.
    for (;;) {
      const room = answer?.take(`data: ${"x".repeat(1e6)}\n\n`);
      const fate = await Promise.race([
        Promise.resolve(room).then(() => "goes on"),
        wait(80).then(() => "waits"),
      ]);
      if (fate === "waits") return { room, socket, given: () => given, close: () => app.close() };
    }
  }

  it("is waited for, and gets the rest when it reads on", async () => {
    const { room, socket, given, close } = await stalled(30_000);
    socket.resume();
    await room;
    expect(given()).toBe(0);
    await close();
  });

  it("is given up after a while", async () => {
    const { room, given, close } = await stalled(300);
    await room;
    expect(given()).toBe(1);
    await close();
  });
});
