import { styleText } from "node:util";
import { loadConfig } from "../config/config.ts";
import { Named } from "./egress-named.ts";
import { type Held, lookAt, serviceOf } from "./egress-processes.ts";
import type { End, OpenSocket } from "./egress-sockets.ts";

/** `perch doctor --egress`: every socket that the running service and its children have open. 0 where the configuration names them all, else 1. */
export async function doctorEgress(file: string): Promise<number> {
  const config = loadConfig(file, () => undefined);
  const service = serviceOf(config.data);
  const named = await Named.of(config);
  const { processes, sockets, others } = lookAt(service);
  const lines = sockets
    .map((held) => ({ held, name: named.nameOf(held, sockets) }))
    .filter(({ held }) => held.socket.kind !== "unix" || held.socket.path !== undefined)
    .map(({ held, name }) => ({
      named: name !== undefined,
      text: lineOf(held, name ?? `not named in ${file}`),
    }))
    .sort((a, b) => Number(b.named) - Number(a.named) || a.text.localeCompare(b.text));
  const quiet = sockets.length - lines.length;
  const out = (text: string) => process.stdout.write(`${text}\n`);
  out(styleText("bold", "Processes"));
  out(`  ${processes.map(({ name, pid }) => `${name} ${pid}`).join(", ")}`);
  out(styleText("bold", "Open"));
  for (const line of lines)
    out(`  ${line.named ? styleText("green", "✓") : styleText("red", "✗")} ${line.text}`);
  out(
    `  · ${quiet} unnamed unix sockets: pipes between these processes, and connections to the sockets above`,
  );
  if (others > 0) out(`  · ${others} of other kinds, which reach the kernel only or ended meanwhile`);
  const faults = lines.filter((line) => !line.named).length;
  out("");
  out(
    faults === 0
      ? `nothing is open that ${file} does not name`
      : `${faults} ${faults === 1 ? "socket is" : "sockets are"} open that ${file} does not name`,
  );
  return faults === 0 ? 0 : 1;
}

function lineOf({ socket, owners }: Held, name: string): string {
  const who = owners.map((one) => `${one.name} ${one.pid}`).join(", ");
  return [socket.kind.padEnd(6), whereOf(socket).padEnd(44), who.padEnd(20), name].join(" ");
}

function whereOf({ local, remote, listening, path }: OpenSocket): string {
  if (path !== undefined) return path;
  if (!local) return "every packet";
  return `${endText(local)}${listening ? " listens" : remote ? ` → ${endText(remote)}` : ""}`;
}

const endText = ({ address, port }: End): string =>
  `${address.includes(":") ? `[${address}]` : address}:${port}`;
