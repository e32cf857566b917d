import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../kernel/paths.ts";

/** A mistake on the command line; its message is all that is shown. */
export class UsageError extends Error {}

export const version: string = readVersion();

export const HELP = `perch ${version} – cameras and microphones, watched by one local model; nothing leaves the box

Usage: perch <verb> [options]

  run [--config F] [--for DURATION] [--report FILE]
        Watch, until it is ended (or for DURATION: 30s, 5m, 8h). --report writes what was seen,
        dropped and acknowledged as JSON at the end.
  check [F]
        Read a configuration and show every error in it, each with its line. Exit 1 if there is one.
  doctor [--egress] [--config F]
        What is here (processor, GPU, tools, model files, devices, permissions) and what that
        allows. --egress: what the running service has open, and whether the configuration names
        it; exit 1 where it does not.
  ask "question" [--feed ID ...] [--image F ...] [--audio F] [--schema F] [--config F]
        Ask the model once. --feed: about what a camera of the running service shows now, or a
        microphone hears in the next 5 s. --image may be given several times, the oldest first.
        --schema: a YAML or JSON file with the answer's fields, as a watch has them.
  chat [--system TEXT] [--feed ID ...] [--image F ...] [--audio F] [--config F]
        Talk with the model on a terminal: pictures and sounds by /feed, /image and /audio, /help
        shows the rest. Lines of a pipe are asked one after the other.
  simulate SCENARIO.yaml|cell [--live [PORT] | --out DIR] [--size WxH] [--fps N] [--for DURATION]
        Check a scenario of the simulated cell and show, serve or write it: perch simulate --help.
  models list|plan|pull|verify [LADDER] | import DIR [--ladder LADDER]
        Models: which there are, what fits here, fetch, copy and check files: perch models --help.
  governor [show | set LEVEL | freeze | auto | history]
        Which level runs, how fast and why; overrule it for a while: perch governor --help.
  token create|list|revoke
        Who may ask the service for what, beyond this box's administrator: perch token --help.
  user add|list|password|remove [NAME]
        Who may log in with name and password: perch user --help.
  backup create|list|fetch|remove|restore
        Copies of the record: made, brought to another disk, put back: perch backup --help.
  health [--live] [--json] [--config F]
        Whether the running service does its work: exit 0, or 1 with what does not. --live: only
        whether it runs.
  tail [--watch ID ...] [--observations] [--json] [--config F]
        Events of the running service as they happen. A service that restarts is waited for.
  events [--search TEXT] [--watch ID] [--severity S] [--since T] [--until T] [--open]
         [--limit N] [--json] [--config F]
        What happened, newest first (20 of them). T is a day or a time in ISO 8601: 2026-11-25.
  mcp [--config F]
        The Model Context Protocol on standard input and output, for an agent on this box: it can
        look, listen, ask watches and search events of the running service.
  audit [--limit N] [--json] [--config F]
        Who changed what, from where, and what came of it; newest first (20 of them).
  --version, --help

Without --config it is ./config/perch.yaml, or the one that comes with Perch (a simulated cell).

  perch run                                     the simulated cell: no camera needed
  perch check config/examples/clinic-kiosk.yaml
  perch ask "Who is there?" --feed camera        while perch run runs
  perch ask "What is on the picture?" --image photo.jpg
  perch simulate config/examples/scenarios/clinic-call.yaml --live
  perch models pull gemma-4-12b                 for real cameras: Google's files, 7.2 GB
`;

/** The configuration file to use: the one given, ./config/perch.yaml, or the one that comes with Perch. */
export function configFile(given: string | undefined): string {
  if (given !== undefined) return given;
  const own = join("config", "perch.yaml");
  return existsSync(own) ? own : join(packageRoot, own);
}

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}
