import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import { picture, tone } from "../support/engine-media.ts";
import type { Conduct } from "../support/fault-server.ts";
import { RemoteBench } from "../support/remote-bench.ts";
import { until } from "../support/until.ts";

let bench: RemoteBench;
afterEach(() => bench.dispose());

const I_AM_B = '"I am b."';
const READY: AnswerSchema = { ready: { type: "boolean" } };

/** Asks until a server was met, and gives what came of it. */
async function untilMet(name: string): Promise<string[]> {
  const before = bench.server(name).asked.length;
  const answers: string[] = [];
  while (bench.server(name).asked.length === before) answers.push(await bench.ask());
  return answers;
}

describe("a request under which a server fails", () => {
  const failing: [string, Conduct, RegExp][] = [
    ["breaks the connection", "reset", /broke/],
    ["breaks it in the middle", "cut", /broke|cut off/],
    ["says in the middle that it failed", "error midway", /the card is gone/],
    ["says nothing", "stall", /said nothing for 0.3 s/],
    ["falls silent", "stall midway", /said nothing/],
    ["sends nothing but comments", "comments", /said nothing/],
    ["sends an event without an end", "endless", /too long/],
    ["sends what is no event", "garbage", /no event: what\?/],
    ["sends a page", "page", /text\/html where a stream/],
    ["redirects", "redirect", /redirects are not followed/],
    ["fails by a 500", { status: 500, message: "no more memory" }, /HTTP 500: no more memory/],
    ["refuses the key", { status: 401 }, /refuses the key/],
    ["knows no such model", { status: 404 }, /not there/],
    ["has no time", { status: 503 }, /HTTP 503/],
  ];
  it.each(failing)("is answered by another, where one %s", async (_, conduct, why) => {
    bench = await RemoteBench.start(["a", "b"], { timings: { silence: 300 } });
    bench.server("a").conduct = conduct;
    for (const answer of await untilMet("a")) expect(answer).toBe(I_AM_B);
    const said = `${bench.log.join("\n")}\n${bench.reason("a")}`;
    if (!/503/.test(why.source)) expect(said).toMatch(why);
    const outcomes = await bench.metrics.totalsBy(bench.metrics.remoteRequests, "server");
    expect(outcomes.a).toBeGreaterThan(0);
  });

  it("goes on as the client's where nothing was sent yet, and says who answered in the end", async () => {
    bench = await RemoteBench.start(["a", "b"]);
    bench.server("a").conduct = "reset";
    const stamps: string[][] = [];
    while (bench.server("a").asked.length === 0) {
      const chat = await bench.chat();
      expect(chat.end).toBe("answered by b");
      expect(chat.events.match(/b\./g)).toHaveLength(1);
      stamps.push(chat.stamps.map(({ server = "" }) => server));
    }
    expect(stamps.at(-1)?.slice(-2)).toEqual(["a", "b"]);
  });

  it("ends with the fault where a part was sent, and is not asked again", async () => {
    bench = await RemoteBench.start(["a", "b"]);
    for (const { name } of bench.servers) bench.server(name).conduct = "cut";
    const { events, end } = await bench.chat();
    expect(events).toMatch(/"content":"I"/);
    expect(end).toMatch(/^ENGINE_FAILED [ab]: the connection to it broke/);
    expect(bench.servers.flatMap(({ asked }) => asked)).toHaveLength(1);
  });

  it("is asked three times at most, then it counts as what kills servers and is kept", async () => {
    bench = await RemoteBench.start(["a", "b", "c", "d"]);
    for (const server of bench.servers) server.conduct = "reset";
    expect(await bench.ask()).toMatch(/^ENGINE_POISON .*failed twice/);
    const outcomes = await bench.metrics.totalsBy(bench.metrics.remoteRequests, "outcome");
    expect(outcomes).toEqual({ broken: 3 });
    // Over a connection that was kept none can tell a server that died of it from one that had hung up before.
    expect(bench.servers.filter(({ asked }) => asked.length > 0).length).toBeLessThanOrEqual(3);
    expect(bench.servers.flatMap(({ asked }) => asked).length).toBeLessThanOrEqual(6);
    expect(readdirSync(join(bench.data, "poison"))).toHaveLength(1);
  });

  it("waits where no other server is left, and is answered when one is back", async () => {
    bench = await RemoteBench.start(["a"]);
    const a = bench.server("a");
    a.conduct = "hold";
    const answer = bench.ask();
    await until(() => a.underWay === 1);
    await a.close();
    await bench.untilState("a", "down");
    a.conduct = "answer";
    await a.listen();
    expect(await answer).toBe('"I am a."');
  });
});

describe("a server that fails", () => {
  it("three times in a row is left alone, then has to answer one before it gets more", async () => {
    bench = await RemoteBench.start(["a", "b"]);
    const [a, b] = [bench.server("a"), bench.server("b")];
    a.conduct = "reset";
    const probes = a.probes;
    while (bench.state("a") === "up") expect(await bench.ask()).toBe(I_AM_B);
    expect((await bench.metrics.totalsBy(bench.metrics.remoteRequests, "outcome")).broken).toBe(3);
    a.conduct = "hold";
    b.conduct = "hold";
    await bench.untilState("a", "up");
    expect(a.probes).toBeGreaterThan(probes);
    const answers = Array.from({ length: 10 }, () => bench.ask());
    await until(() => a.underWay + b.underWay === 5);
    expect([a.underWay, b.underWay]).toEqual([1, 4]);
    a.release();
    // It has answered one: now it has all of its slots again.
    await until(() => a.underWay === 4);
    a.conduct = "answer";
    b.conduct = "answer";
    a.release();
    b.release();
    expect(await Promise.all(answers)).toHaveLength(10);
  });

  it("and is gone is noticed, told, and found again by itself", async () => {
    bench = await RemoteBench.start(["a", "b"]);
    await bench.server("a").close();
    while (bench.state("a") === "up") expect(await bench.ask()).toBe(I_AM_B);
    expect(bench.reason("a")).toMatch(/nothing listens at its port|ended it/);
    const { state, detail } = bench.engine.health();
    expect(state).toBe("ok");
    expect(detail?.a).toMatch(/^down · it cannot be reached/);
    await bench.server("b").close();
    const waiting = bench.ask();
    await until(() => bench.engine.health().state === "degraded");
    expect(bench.engine.health().reason).toMatch(/^no server answers: a: .*; b: /);
    await bench.server("a").listen();
    expect(await waiting).toBe('"I am a."');
    await bench.untilState("a", "up");
  });

  it("when it is looked at is no longer asked, and what it has is asked of another", async () => {
    bench = await RemoteBench.start(["a", "b"], { timings: { beat: 20 } });
    const [a, b] = [bench.server("a"), bench.server("b")];
    b.conduct = "hold";
    a.conduct = "hold";
    const answers = [bench.ask(), bench.ask(), bench.ask()];
    await until(() => a.underWay + b.underWay === 3);
    a.health = 500;
    b.conduct = "answer";
    b.release();
    expect(await Promise.all(answers)).toEqual([I_AM_B, I_AM_B, I_AM_B]);
    expect(bench.log.join("\n")).toMatch(/a is not asked for now: it did not answer 3 looks: HTTP 500/);
    expect(a.given).toBeGreaterThan(0);
  });

  it("that is busy is left alone for as long as it asks", async () => {
    bench = await RemoteBench.start(["a", "b"]);
    const a = bench.server("a");
    a.conduct = { status: 429, headers: { "retry-after": "60" } };
    await untilMet("a");
    expect(bench.state("a")).toBe("resting");
    for (let count = 0; count < 10; count += 1) expect(await bench.ask()).toBe(I_AM_B);
    expect(a.asked).toHaveLength(1);
    expect(bench.engine.slots).toBe(4);
  });

  it("that is busy and the only one is asked again, and nothing is lost", async () => {
    bench = await RemoteBench.start(["a"]);
    const a = bench.server("a");
    a.conduct = { status: 503 };
    const answers = [bench.ask(), bench.ask(), bench.ask()];
    await until(() => a.asked.length >= 4);
    a.conduct = "answer";
    expect(await Promise.all(answers)).toEqual(Array(3).fill('"I am a."'));
  });
});

describe("among servers", () => {
  it("the least loaded is asked, by the share of its slots", async () => {
    bench = await RemoteBench.start(["a", "b", "c"], { slots: 3 });
    for (const server of bench.servers) server.conduct = "hold";
    const answers: Promise<string>[] = [];
    for (let count = 1; count <= 9; count += 1) {
      answers.push(bench.ask());
      await until(() => bench.servers.reduce((sum, { underWay }) => sum + underWay, 0) === count);
      const loads = bench.servers.map(({ underWay }) => underWay);
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
    }
    answers.push(bench.ask());
    expect(bench.inference.health().detail).toMatchObject({ underWay: 9, waiting: 1 });
    for (const server of bench.servers) {
      server.conduct = "answer";
      server.release();
    }
    expect(await Promise.all(answers)).toHaveLength(10);
  });

  it("one that can is asked; what none can is refused with each one's reason, and not tried", async () => {
    const before = (servers: readonly { lacks: Set<string> }[]) => {
      servers[0]?.lacks.add("image").add("tools");
      servers[1]?.lacks.add("audio");
    };
    bench = await RemoteBench.start(["a", "b"], { before });
    for (let count = 0; count < 4; count += 1) {
      expect(await bench.ask({ images: [picture()] })).toBe(I_AM_B);
      expect(await bench.ask({ audio: tone(440, 0.5) })).toBe('"I am a."');
      expect((await bench.chat({ tools: [{ type: "function", function: { name: "look" } }] })).end).toBe(
        "answered by b",
      );
    }
    const asked = bench.servers.flatMap((server) => server.asked).length;
    expect(await bench.ask({ images: [picture()], audio: tone(440, 0.5) })).toMatch(
      /^ENGINE_REFUSED .*a: it takes no pictures \(image is not supported by this model\); b: it takes no sound \(audio/,
    );
    expect(bench.servers.flatMap((server) => server.asked)).toHaveLength(asked);
    expect(bench.engine.health().detail?.a).toMatch(/can text, audio, schema; cannot image, tools/);
    // What it can is found out anew when it comes back.
    await bench.server("a").close();
    bench.server("a").lacks.clear();
    const waits = bench.ask({ audio: tone(440, 0.5) });
    await bench.untilState("a", "down");
    await bench.server("a").listen();
    expect(await waits).toBe('"I am a."');
    await bench.untilState("a", "up");
    expect(await bench.ask({ images: [picture()], audio: tone(440, 0.5) })).toBe('"I am a."');
  });

  it("what only a full one can waits, and lets others by", async () => {
    bench = await RemoteBench.start(["a", "b"], {
      slots: 1,
      before: ([, b]) => void b?.lacks.add("image"),
    });
    bench.server("a").conduct = "hold";
    const seen = [1, 2, 3].map(() => bench.ask({ images: [picture()] }));
    await until(() => bench.server("a").underWay === 1);
    expect(await bench.ask()).toBe(I_AM_B);
    expect(bench.inference.health().detail).toMatchObject({ underWay: 1, waiting: 2 });
    bench.server("a").conduct = "answer";
    bench.server("a").release();
    expect(await Promise.all(seen)).toEqual(Array(3).fill('"I am a."'));
  });

  it("what waits for one that turns out not to be able is refused then", async () => {
    bench = await RemoteBench.start(["a", "b"], { before: ([, b]) => void b?.lacks.add("image") });
    const a = bench.server("a");
    await a.close();
    while (bench.state("a") === "up") await bench.ask();
    const waits = bench.ask({ images: [picture()] });
    a.lacks.add("image");
    await a.listen();
    // It could until it went, so that it was waited for.
    expect(await waits).toMatch(/^ENGINE_REFUSED .*a: it takes no pictures/);
  });

  it("a server that the probe kills is not killed a third time, and serves the rest", async () => {
    bench = await RemoteBench.start(["a"], { before: ([a]) => void a?.crashes.add("audio") });
    await bench.untilState("a", "up");
    expect(bench.engine.health().detail?.a).toMatch(/cannot audio/);
    expect(await bench.ask({ audio: tone(440, 0.5) })).toMatch(/it failed 2 times when it was tried/);
    expect(await bench.ask()).toBe('"I am a."');
  });
});

describe("what goes to a server", () => {
  it("is in OpenAI's fields and the server's name for its model, and what comes is accounted for", async () => {
    bench = await RemoteBench.start(["a"]);
    const { reply, stamp } = await bench.inference.submit({
      prompt: { question: "Ready?", schema: READY },
      lane: "watch",
      deadline: Number.MAX_SAFE_INTEGER,
    });
    expect(stamp).toEqual({ ladder: "remote", level: "a", model: "model of a", server: "a" });
    expect(reply.tokens).toEqual({ prompt: 7, cached: 5, answer: 3 });
    const body = bench.server("a").asked[0]?.body;
    expect(body).toMatchObject({
      model: "model of a",
      stream: true,
      temperature: 0,
      response_format: {
        json_schema: { schema: { properties: { ready: { type: "boolean" } }, required: ["ready"] } },
      },
    });
    for (const own of ["grammar", "cache_prompt"]) expect(body).not.toHaveProperty(own);
  });

  it("comes back as whole events in one form, without an account that nobody asked for", async () => {
    bench = await RemoteBench.start(["a"]);
    const { events } = await bench.chat();
    expect(events).toMatch(/^(data: \{[^\n\r]+\}\n\n)+data: \[DONE\]\n\n$/);
    expect(events).not.toContain("prompt_tokens");
    expect((await bench.chat({ stream_options: { include_usage: true } })).events).toContain("prompt_tokens");
  });

  it("is given up there when whoever asked goes away, and nobody is blamed", async () => {
    bench = await RemoteBench.start(["a"]);
    const a = bench.server("a");
    a.conduct = "hold";
    const given = new AbortController();
    const answer = bench.ask({}, given.signal);
    await until(() => a.underWay === 1);
    given.abort();
    expect(await answer).toMatch(/^CANCELLED/);
    await until(() => a.given === 1);
    expect(bench.state("a")).toBe("up");
  });

  it("has the key in its header alone, even where the server repeats it", async () => {
    const key = "perch-secret-9x";
    bench = await RemoteBench.start(["a"], { over: { key } });
    const a = bench.server("a");
    a.conduct = { status: 400, message: `you sent ${key}, which is fine, and a wrong request` };
    const refused = await bench.ask();
    expect(refused).toMatch(/^ENGINE_REFUSED .*you sent \[hidden\], which/);
    a.conduct = { status: 401, message: `wrong key ${key}` };
    void bench.ask();
    await bench.untilState("a", "down");
    expect(a.asked[0]?.headers.authorization).toBe(`Bearer ${key}`);
    expect(a.asked[0]?.url).toBe("/v1/chat/completions");
    for (const told of [...bench.log, JSON.stringify(bench.engine.health()), refused])
      expect(told).not.toContain(key);
  });
});
