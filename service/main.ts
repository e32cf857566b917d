#!/usr/bin/env node
import { parseArgs } from "node:util";
import { BACKUP_HELP } from "./cli/backup-usage.ts";
import { GOVERNOR_HELP } from "./cli/governor-usage.ts";
import { MODELS_HELP } from "./cli/models-usage.ts";
import { SIMULATE_HELP, withLivePort } from "./cli/simulate-usage.ts";
import { TOKEN_HELP } from "./cli/token-usage.ts";
import { configFile, HELP, UsageError, version } from "./cli/usage.ts";
import { USER_HELP } from "./cli/user-usage.ts";
import { isPerchError, messageOf } from "./kernel/errors.ts";

const text = { type: "string" } as const;
const several = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;

/** Runs one verb, loading no more than it needs. Resolves to the exit code: 0 well, 1 a fault that was told, 2 a wrong command line. */
async function main(argv: string[]): Promise<number> {
  const [verb, ...rest] = argv;
  if (rest.includes("--help") || rest.includes("-h")) return help(verb);
  switch (verb) {
    case "run": {
      const { config, ...options } = parse(rest, { config: text, for: text, report: text }, 0).values;
      const { run } = await import("./cli/run.ts");
      return run({ ...options, config: configFile(config) });
    }
    case "check": {
      const { check } = await import("./cli/check.ts");
      const { values, positionals } = parse(rest, { config: text }, 1);
      return check(configFile(values.config ?? positionals[0]));
    }
    case "doctor": {
      const { config, egress } = parse(rest, { config: text, egress: flag }, 0).values;
      if (egress) return (await import("./cli/doctor-egress.ts")).doctorEgress(configFile(config));
      const { doctor } = await import("./cli/doctor.ts");
      return doctor(configFile(config));
    }
    case "ask": {
      const { values, positionals } = parse(
        rest,
        { config: text, image: several, audio: text, feed: several, schema: text },
        1,
      );
      const [question] = positionals;
      if (question === undefined) throw new UsageError('ask what? perch ask "question"');
      const { ask } = await import("./cli/ask.ts");
      return ask({ ...values, question, config: configFile(values.config) });
    }
    case "chat": {
      const options = {
        config: text,
        system: text,
        image: several,
        audio: text,
        feed: several,
      } as const;
      const { config, ...asked } = parse(rest, options, 0).values;
      const { chat } = await import("./cli/chat.ts");
      return chat({ ...asked, config: configFile(config) });
    }
    case "simulate": {
      const options = { seed: text, for: text, size: text, fps: text, out: text, live: text };
      const { values, positionals } = parse(withLivePort(rest), options, 1);
      const [what] = positionals;
      if (what === undefined) throw new UsageError("simulate what? perch simulate SCENARIO.yaml, or cell");
      const { simulate } = await import("./cli/simulate.ts");
      return simulate({ ...values, what });
    }
    case "models": {
      const options = { config: text, ladder: text, mirror: text, json: flag };
      const { values, positionals } = parse(rest, options, 2);
      const { models } = await import("./cli/models.ts");
      return models({ ...values, words: positionals, config: configFile(values.config) });
    }
    case "governor": {
      const options = { config: text, pace: text, for: text, limit: text, json: flag };
      const { values, positionals } = parse(rest, options, 3);
      const { governor } = await import("./cli/governor.ts");
      return governor({ ...values, words: positionals, config: configFile(values.config) });
    }
    case "token": {
      const asked = { name: text, role: text, kiosk: text, lane: text, expires: text, rate: text };
      const { values, positionals } = parse(rest, { config: text, json: flag, ...asked }, 3);
      const { token } = await import("./cli/token.ts");
      return token({ ...values, words: positionals, config: configFile(values.config) });
    }
    case "user": {
      const { values, positionals } = parse(rest, { config: text, role: text, json: flag }, 3);
      const { user } = await import("./cli/user.ts");
      return user({ ...values, words: positionals, config: configFile(values.config) });
    }
    case "backup": {
      const { values, positionals } = parse(rest, { config: text, out: text, json: flag }, 3);
      const { backup } = await import("./cli/backup.ts");
      return backup({ ...values, words: positionals, config: configFile(values.config) });
    }
    case "health": {
      const { values } = parse(rest, { config: text, live: flag, json: flag }, 0);
      const { health } = await import("./cli/health.ts");
      return health({ ...values, config: configFile(values.config) });
    }
    case "audit": {
      const { config, ...options } = parse(rest, { config: text, limit: text, json: flag }, 0).values;
      const { audit } = await import("./cli/audit.ts");
      return audit({ ...options, config: configFile(config) });
    }
    case "tail": {
      const options = {
        config: text,
        watch: several,
        observations: flag,
        json: flag,
      } as const;
      const { config, ...asked } = parse(rest, options, 0).values;
      const { tail } = await import("./cli/tail.ts");
      return tail({ ...asked, config: configFile(config) });
    }
    case "events": {
      const options = { config: text, search: text, watch: text, severity: text, since: text, until: text };
      const { values } = parse(rest, { ...options, open: flag, limit: text, json: flag }, 0);
      const { events } = await import("./cli/events.ts");
      return events({ ...values, config: configFile(values.config) });
    }
    case "mcp": {
      const { mcp } = await import("./cli/mcp.ts");
      return mcp({ config: configFile(parse(rest, { config: text }, 0).values.config) });
    }
    case "--version":
    case "-v":
      process.stdout.write(`${version}\n`);
      return 0;
    case "--help":
    case "-h":
    case "help":
    case undefined:
      help();
      return verb === undefined ? 2 : 0;
    default:
      throw new UsageError(`there is no verb ${verb}`);
  }
}

function help(verb = ""): number {
  const own: Record<string, string> = {
    simulate: SIMULATE_HELP,
    models: MODELS_HELP,
    governor: GOVERNOR_HELP,
    token: TOKEN_HELP,
    user: USER_HELP,
    backup: BACKUP_HELP,
  };
  process.stdout.write(own[verb] ?? HELP);
  return 0;
}

type Options = Record<string, (typeof text & { multiple?: true }) | typeof flag>;

function parse<T extends Options>(args: string[], options: T, most: number) {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
    if (parsed.positionals.length > most)
      throw new UsageError(`too many words: ${parsed.positionals.join(" ")}`);
    return parsed;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof UsageError) {
      process.stderr.write(`perch: ${error.message}\nperch --help shows what there is.\n`);
      process.exit(2);
    }
    if (isPerchError(error)) {
      process.stderr.write(`perch: ${error.message}\n`);
      process.exit(1);
    }
    // Not foreseen: a bug. The stack is what helps whoever reads it.
    process.stderr.write(
      `perch: this should not happen, please report it: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exit(70);
  },
);
