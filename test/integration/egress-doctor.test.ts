import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Named } from "../../service/cli/egress-named.ts";
import { type Held, lookAt, serviceOf } from "../../service/cli/egress-processes.ts";
import { parseTable } from "../../service/cli/egress-sockets.ts";
import { loadConfig } from "../../service/config/config.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { configText } from "../bench/configuration.ts";
import { accessFolder } from "../support/access-served.ts";

const PROC = join(packageRoot, "test/fixtures/egress/proc");

async function configured(over: object = {}) {
  const folder = await accessFolder();
  const whole = { node: "cell", data: folder, feeds: [], watches: [], http: { port: 18473 }, ...over };
  return loadConfig(configText(folder, { mqtt: { broker: { kind: "embedded", port: 18820 } }, ...whole }));
}

/** What is open in the recording, as `kind local>remote`, by what names it. */
async function shown(over: object = {}): Promise<Record<string, string[]>> {
  const named = await Named.of(await configured(over));
  const { sockets } = lookAt(101, PROC);
  const found: Record<string, string[]> = {};
  for (const held of sockets) {
    const name = named.nameOf(held, sockets) ?? "nothing";
    found[name] = [...(found[name] ?? []), textOf(held)];
  }
  for (const texts of Object.values(found)) texts.sort();
  return found;
}

function textOf({ socket: { kind, local, remote, path }, owners }: Held): string {
  const near = path ?? (local ? `${local.address}:${local.port}` : "");
  return `${kind} ${near}${remote ? `>${remote.address}:${remote.port}` : ""} ${owners[0]?.name}`;
}

describe("what a service has open", () => {
  it("is found in all its processes, with what the configuration says of it", async () => {
    const { processes, others } = lookAt(101, PROC);
    expect(processes.map(({ pid, name }) => `${pid} ${name}`)).toEqual([
      "101 node",
      "102 sh",
      "103 llama-server",
      "104 node",
      "105 python3",
    ]);
    expect(others).toBe(1);
    const { "within the box": within = [], ...rest } = await shown();
    expect(within.length).toBeGreaterThan(5);
    expect(rest).toEqual({
      http: ["tcp 127.0.0.1:18473 node"],
      "embedded broker": ["tcp 127.0.0.1:18830 node"],
      "a client": [
        expect.stringMatching(/^tcp 127\.0\.0\.1:18473>127\.0\.0\.1:\d+ node$/),
        expect.any(String),
        expect.any(String),
      ],
      itself: [
        expect.stringMatching(/>127\.0\.0\.1:18830 node$/),
        expect.stringMatching(/>127\.0\.0\.1:8474 python3$/),
      ],
      engine: ["unix /tmp/perch-engine-101-kdAAJw/0.sock llama-server"],
      nothing: [
        "packet  python3",
        "raw 0.0.0.0:1 python3",
        "tcp 0.0.0.0:9229 python3",
        expect.stringMatching(/^tcp 192\.0\.2\.2:\d+>192\.0\.2\.7:443 python3$/),
        "tcp :::8474 python3",
        expect.stringMatching(/^udp 192\.0\.2\.2:\d+>192\.0\.2\.53:53 python3$/),
        "udp ::1:5353 python3",
        "unix @odd python3",
      ],
    });
  });

  it.each([
    ["a broker elsewhere", { mqtt: { broker: { kind: "external", url: "mqtt://192.0.2.7:443" } } }, "broker"],
    ["a camera", { feeds: [{ id: "door", kind: "camera", source: "https://192.0.2.7/live" }] }, "feed door"],
    [
      "a server elsewhere",
      { engine: { remote: { servers: [{ id: "gpu", url: "https://192.0.2.7/v1" }] } } },
      "server gpu",
    ],
  ])("is named where %s is configured", async (_what, over, name) => {
    expect((await shown(over))[name]).toEqual([expect.stringContaining(">192.0.2.7:443 ")]);
  });

  it("is not named by another port, another address or another door", async () => {
    const named = async (over: object) => Object.keys(await shown(over)).sort();
    const usual = await named({});
    for (const url of ["mqtts://192.0.2.7:444", "mqtt://192.0.2.8:443"])
      expect(await named({ mqtt: { broker: { kind: "external", url } } })).toEqual(
        usual.filter((name) => name !== "embedded broker"),
      );
    expect(await named({ http: { port: 18474 } })).toEqual(usual.filter((name) => name !== "http"));
  });

  it("may include a lookup where a name stands in the configuration", async () => {
    const found = await shown({ mqtt: { broker: { kind: "external", url: "mqtt://broker.invalid" } } });
    expect(found["a name being looked up"]).toEqual([expect.stringContaining(">192.0.2.53:53 ")]);
  });
});

describe("the service of a data folder", () => {
  it("is the process that holds the folder's lock, not one that has its number by chance", async () => {
    const [data, proc] = [await accessFolder(), await accessFolder()];
    const find = () => serviceOf(data, proc);
    expect(find).toThrow("no service that this user may look at");
    writeFileSync(join(data, "perch.pid"), "42\n");
    mkdirSync(join(proc, "42/fd"), { recursive: true });
    symlinkSync("/somewhere/perch.lock", join(proc, "42/fd/3"));
    expect(find).toThrow("no service that this user may look at");
    symlinkSync(join(data, "perch.lock"), join(proc, "42/fd/4"));
    expect(find()).toBe(42);
  });
});

describe("a table of sockets", () => {
  it("shows addresses of both kinds, and leaves out what cannot be read", () => {
    const line = (local: string, remote: string) => `   1: ${local} ${remote} 01 0:0 00:0 0 0 0 77 1`;
    const read = (...given: [string, string]) => parseTable("tcp6", `head\n${line(...given)}\nnonsense\n`);
    expect(read("B80D0120000000000000000001000000:0050", "0000000000000000FFFF00000200000A:01BB")).toEqual([
      {
        ...{ kind: "tcp", inode: 77, listening: false },
        local: { address: "2001:db8::1", port: 80 },
        remote: { address: "10.0.0.2", port: 443 },
      },
    ]);
    expect(read("x", "y")).toEqual([]);
  });
});
