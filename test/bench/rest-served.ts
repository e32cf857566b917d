import { Access } from "../../service/api/access/access.ts";
import { AdminToken } from "../../service/api/access/admin-token.ts";
import { Audit } from "../../service/api/access/audit.ts";
import { SignIn } from "../../service/api/access/sign-in.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { ApiServer } from "../../service/api/server.ts";
import { recordSideOf } from "../../service/desks/record.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, event, observation } from "../support/record-entries.ts";

// node --expose-gc --import tsx rest-served.ts FOLDER, forked: the record's API alone in a process of its own. Takes
// {write: COUNT}, {memory: true} and {}; answers with its processor time in ms, for that or in all, and with bytes.
const [data = ""] = process.argv.slice(2);
const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
const record = new Record({
  ...{ ...shared, folder: data },
  config: { thumbnail: 24_000, age: 1e12, bytes: 1e12 },
});
const admin = new AdminToken(data);
const tokens = new Tokens(data);
const signIn = new SignIn({ ...shared, data, secure: false });
const never = () => {
  throw new Error("nobody governs here");
};
const server = new ApiServer({
  ...{ ...shared, data, admin, signIn, token: admin, version: "0.0.0", essential: [], health: () => ({}) },
  http: { host: "127.0.0.1", port: 0, names: [] },
  governor: { view: never, obey: never },
  audit: new Audit({ ...shared, write: (audit) => record.write({ events: [], messages: [], audit }) }),
  access: new Access({ ...shared, admin, signIn, tokens, lan: false, names: [] }),
  record: recordSideOf({ ...shared, record, node: "bench", base: "perch/bench" }),
});
await record.start();
await server.start();
const { token } = tokens.create(
  { name: `bench-${process.pid}`, role: "viewer", by: "bench", expires: null },
  Date.now(),
);
process.send?.({ url: server.url, token });

let written = 0;
process.on("message", async (asked: { write?: number; memory?: boolean }) => {
  if (asked.memory === true) {
    for (let times = 0; times < 3; times += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    process.send?.({ bytes: process.memoryUsage().rss });
    return;
  }
  const before = asked.write === undefined ? undefined : process.cpuUsage();
  for (let n = 0; n < (asked.write ?? 0); n += 1) {
    written += 1;
    const id = `live-${process.pid}-${written}`;
    await record.write(entry(observation(id, {}, Date.now()), event(id, {}, Date.now())));
  }
  const { user, system } = process.cpuUsage(before);
  process.send?.({ cpu: (user + system) / 1000 });
});
process.on("disconnect", () => process.exit(0));
