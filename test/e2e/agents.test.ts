import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Event } from "../../service/contract/observation.ts";
import { freePort } from "../support/free-port.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { builtArguments, told } from "../support/perch-command.ts";
import { until } from "../support/until.ts";

let perch: PerchProcess;
let port: number;

beforeAll(async () => {
  port = await freePort();
  perch = new PerchProcess({ http: { port }, feeds: CELL_FEEDS, watches: [SCENE_WATCH, SOUND_WATCH] });
  perch.start();
  // Of the same data folder and port, but with a model that cannot run: whoever answers is the service.
  const text = JSON.stringify({
    ...{ node: "cell", data: perch.data, http: { port }, feeds: [], watches: [] },
    engine: { binary: "/no/such/engine" },
  });
  writeFileSync(join(perch.folder, "other.json"), text);
  await until(async () => (await events("--limit", "1")).length > 0);
}, 90_000);
afterAll(() => perch.dispose());

const command = (...words: string[]) =>
  told(perch.folder, "", builtArguments(...words, "--config", "other.json"));

async function events(...words: string[]): Promise<(Event & { acknowledged: unknown })[]> {
  const { out } = await command("events", "--json", ...words);
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event & { acknowledged: unknown });
}

/** A client of the official SDK that has come to know the server. */
async function connected(transport: Transport): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
}

const overPipes = () =>
  connected(
    new StdioClientTransport({
      command: process.execPath,
      args: builtArguments("mcp", "--config", join(perch.folder, "other.json")),
      cwd: perch.folder,
    }),
  );

const called = async (client: Client, name: string, input: object = {}) =>
  (await client.callTool({ name, arguments: { ...input } })) as {
    isError?: boolean;
    content: { type: string; text?: string; data?: string; mimeType?: string }[];
  };

describe("the command line beside a running service", () => {
  it("asks its model, not one of its own", async () => {
    const asked = await command(
      "ask",
      "Describe the image.",
      "--image",
      join(import.meta.dirname, "../../docs/cell.jpg"),
    );
    expect(asked).toMatchObject({ code: 0, err: "" });
    expect(asked.out).not.toBe("\n");
    const chat = await told(perch.folder, "Hello.\n", builtArguments("chat", "--config", "other.json"));
    expect(chat).toMatchObject({ code: 0, err: "" });
  });

  it("finds events by their words, watch and time", async () => {
    const all = await events("--limit", "600");
    const [one] = all;
    if (!one) throw new Error("there is no event");
    const found = await events("--search", one.title, "--watch", one.watch);
    expect(found.map(({ rule }) => rule)).toContain(one.rule);
    expect(new Set(found.map(({ watch }) => watch))).toEqual(new Set([one.watch]));
    expect(await events("--since", "2100-01-01")).toEqual([]);
    const shown = await command("events", "--limit", "1");
    expect(shown.out).toMatch(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [●·○] .+ \((scene|sound)\)/);
    const wrong = await command("events", "--since", "yesterday");
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("since")]);
  });

  it("follows what happens over a restart, each change once", async () => {
    const child = spawn(process.execPath, builtArguments("tail", "--json", "--config", "other.json"), {
      cwd: perch.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const seen: { kind: string; change?: string; event?: Event }[] = [];
    const said: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => seen.push(JSON.parse(line)));
    createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
    const changes = () => seen.filter(({ kind }) => kind === "event");
    await until(() => changes().length > 0);
    await perch.end();
    await until(() => said.includes("The service is away; waiting for it."));
    const before = changes().length;
    perch.start();
    await until(() => said.includes("The service is back.") && changes().length > before);
    const names = changes().map(({ change, event }) => `${event?.id} ${event?.sequence} ${change}`);
    expect(new Set(names).size).toBe(names.length);
    child.kill("SIGTERM");
    await until(() => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
  });
});

describe("an agent", () => {
  it("looks, listens, asks and searches over standard input and output", async () => {
    const client = await overPipes();
    expect(client.getServerVersion()).toMatchObject({ name: "perch" });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["look", "listen", "ask", "search_events", "list_feeds", "list_watches"]),
    );
    expect(JSON.parse((await called(client, "list_feeds")).content[0]?.text ?? "")).toMatchObject({
      feeds: [{ id: "camera" }, { id: "microphone" }],
    });
    await until(async () => (await called(client, "look", { feed: "camera" })).isError !== true);
    const [picture] = (await called(client, "look", { feed: "camera" })).content;
    expect(picture).toMatchObject({ type: "image", mimeType: "image/jpeg" });
    expect(Buffer.from(picture?.data ?? "", "base64").subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    const [sound] = (await called(client, "listen", { feed: "microphone", seconds: 0.5 })).content;
    expect(sound).toMatchObject({ type: "audio", mimeType: "audio/wav" });
    expect(Buffer.from(sound?.data ?? "", "base64").length).toBe(44 + 16_000);
    const [answer] = (await called(client, "ask", { watch: "scene" })).content;
    expect(JSON.parse(answer?.text ?? "")).toMatchObject({
      answer: { person: expect.any(Boolean), display: expect.any(Number) },
      provenance: { ladder: "perch-small" },
    });
    const [found] = (await called(client, "search_events", { watch: "scene", limit: 3 })).content;
    expect(JSON.parse(found?.text ?? "")).toMatchObject({ events: expect.any(Array) });
  });

  it("reads pictures and events as resources", async () => {
    const client = await overPipes();
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(["perch://events", "perch://feeds/camera/snapshot.jpg"]);
    const { contents } = await client.readResource({ uri: "perch://events" });
    const [first] = (
      JSON.parse(String(contents[0] && "text" in contents[0] ? contents[0].text : "")) as {
        events: Event[];
      }
    ).events;
    const one = await client.readResource({ uri: `perch://events/${first?.id}` });
    expect(one.contents[0]).toMatchObject({ mimeType: "application/json" });
    for (const uri of ["perch://events/none", "perch://feeds/../audit", "file:///etc/passwd"])
      await expect(client.readResource({ uri })).rejects.toThrow(/there is n/);
  });

  it("is told what is wrong with a call, and by its token's role what it may not do", async () => {
    const client = await overPipes();
    expect(await called(client, "look", { feed: "door" })).toMatchObject({ isError: true });
    const wrong = await called(client, "listen", { feed: "microphone", seconds: 60 });
    expect(wrong).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("seconds") }] });
    await expect(called(client, "dance")).rejects.toThrow("there is no tool dance");

    const made = await command("token", "create", "--name", "agent", "--role", "viewer");
    const token = made.out.trim().split(/\s+/).at(-1) ?? "";
    const url = new URL(`http://127.0.0.1:${port}/mcp`);
    const headers = { authorization: `Bearer ${token}` };
    const viewer = await connected(
      new StreamableHTTPClientTransport(url, { requestInit: { headers } }) as Transport,
    );
    await until(async () => (await called(viewer, "look", { feed: "camera" })).isError !== true);
    const refused = await called(viewer, "ask", { watch: "scene" });
    expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("viewer") }] });
    await expect(connected(new StreamableHTTPClientTransport(url) as Transport)).rejects.toThrow();
  });
});
