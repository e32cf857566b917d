import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, fetch } from "undici";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { AuditRow } from "../../service/contract/access.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { freePort } from "../support/free-port.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { commandLine, PerchProcess } from "../support/perch.ts";
import { until } from "../support/until.ts";

let broker: Mosquitto;
let subscriber: Subscriber;
let perch: PerchProcess;

beforeEach(async () => {
  broker = await Mosquitto.start();
  subscriber = await Subscriber.connect(broker.url, "perch/#");
});

afterEach(async () => {
  await perch.dispose();
  await subscriber.end();
  await broker.dispose();
});

/** `perch …` of the built service; resolves to what it printed on both. */
function cli(...words: string[]): Promise<string> {
  const args = [join(packageRoot, "dist/service/main.js"), ...words];
  const config = ["--config", join(perch.folder, "perch.json")];
  return new Promise((resolve) =>
    execFile(process.execPath, [...args, ...config], (_error, out, err) => resolve(out + err)),
  );
}

it("a service on the LAN answers to tokens over TLS, obeys its own command line, and notes every change", async () => {
  const port = await freePort();
  perch = new PerchProcess({
    ...{ log: "trace", feeds: [], watches: [] },
    http: { host: "0.0.0.0", port, tls: "self-signed" },
    mqtt: { broker: { kind: "external", url: broker.url }, commands: true },
  });
  perch.start();
  await until(() => perch.log.some((line) => line.includes("fingerprint")));
  const ca = readFileSync(join(perch.data, "tls/certificate.pem"));
  const dispatcher = new Agent({ connect: { ca } });
  const ask = async (token?: string, body?: object) => {
    const headers = {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const sent = body && { method: "POST", body: JSON.stringify(body) };
    return (await fetch(`https://127.0.0.1:${port}/api/governor`, { dispatcher, headers, ...sent })).status;
  };
  expect(await ask()).toBe(401);
  expect(await cli("governor")).toContain("Temperatures");
  expect(await cli("governor", "freeze", "--for", "5m")).toContain("The level stays as it is");

  const token =
    /perch_\S+/.exec(await cli("token", "create", "--name", "line-3", "--role", "operator"))?.[0] ?? "";
  expect(await ask(token, { mode: "auto" })).toBe(200);
  await cli("token", "revoke", "line-3");
  expect(await ask(token, { mode: "frozen" })).toBe(401);

  await until(() => subscriber.on(/\/governor$/).length > 0);
  await subscriber.publish("perch/cell/governor/set", '{"mode":"quick"}');
  const audit = async () => JSON.parse(await cli("audit", "--json")) as AuditRow[];
  await until(async () => (await audit()).length === 5);
  const shown = (await audit()).map(({ who, role, from, what, outcome }) =>
    [who, role ?? "nobody", from, what.split(" (")[0], outcome.split(":")[0]].join(" | "),
  );
  const user = (await audit()).at(-2)?.who;
  expect(shown).toEqual([
    'anybody at the broker | nobody | mqtt | governor {"mode":"quick"} | refused',
    `${user} | admin | command line | token revoke line-3 | done`,
    'line-3 | operator | 127.0.0.1 | governor {"mode":"auto"} | done',
    `${user} | admin | command line | token create line-3 | done`,
    'admin.token | admin | 127.0.0.1 | governor {"mode":"frozen","for":"5m"} | done',
  ]);

  const admin = readFileSync(join(perch.data, "admin.token"), "utf8").trim();
  const seen = [perch.log.join("\n"), commandLine(perch.pid), ...perch.children("").map(commandLine)].join(
    "\n",
  );
  for (const secret of [token.slice(-43), admin]) expect(seen).not.toContain(secret);
  expect(await perch.end()).toBe(0);
});
