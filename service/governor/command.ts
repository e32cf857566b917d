import { Value } from "typebox/value";
import { GovernorCommand } from "../contract/governor.ts";
import { parseDuration } from "../contract/units.ts";
import { PerchError } from "../kernel/errors.ts";

const LEGEND =
  '{"mode":"auto"}, {"mode":"frozen","for":"2h"} or {"mode":"manual","level":"q4_0","pace":0.5,"for":"30m"}';

/** A command as it comes over MQTT or HTTP: JSON text. Throws CONFIG_INVALID that says what is wrong with it. */
export function parseCommand(text: string): GovernorCommand {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("it is no JSON");
  }
  return commandOf(value);
}

/** The same of a value that was parsed already. */
export function commandOf(value: unknown): GovernorCommand {
  const known = Object.keys(GovernorCommand.properties);
  const stray = Object.keys(value ?? {}).find((key) => !known.includes(key));
  if (stray !== undefined && !Array.isArray(value)) throw invalid(`${stray} is not known`);
  const [error] = Value.Errors(GovernorCommand, value);
  if (error) throw invalid(`${error.instancePath.slice(1).replaceAll("/", ".") || "it"} ${error.message}`);
  // Written as text, read as ms: as every duration.
  const written = value as Omit<GovernorCommand, "for"> & { readonly for?: string };
  const { for: span, ...rest } = written;
  if (span === undefined) return rest;
  const ms = parseDuration(span);
  if (ms === undefined) throw invalid(`for "${span}" is no duration`);
  return { ...rest, for: ms };
}

const invalid = (why: string) =>
  new PerchError("CONFIG_INVALID", `the command is not understood: ${why}; a command is ${LEGEND}`);
