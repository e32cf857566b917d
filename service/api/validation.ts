import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { decodeUnits, fillDefaults, type Issue, pathText, schemaIssues } from "../kernel/config-schema.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Api } from "./server.ts";

/** A request that does not hold what it should: all that is wrong with it, each with its place. */
export class InvalidRequest extends PerchError {
  readonly issues: readonly { readonly at: string; readonly message: string }[];

  constructor(issues: readonly Issue[]) {
    const told = issues.map(({ path, message }) => ({ at: pathText(path), message }));
    super(
      "REQUEST_INVALID",
      told.map(({ at, message }) => (at === "" ? message : `${at}: ${message}`)).join("; "),
    );
    this.issues = told;
  }
}

/**
 * Requests are checked by the contract's schemas as configuration files are: defaults filled in, every fault told at
 * once, durations in ms and sizes in bytes. What stands in an address is text, and becomes what the schema asks for.
 */
const checked: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  return (given: unknown) => {
    const read = httpPart === "body" ? given : Value.Convert(schema, given);
    const whole = fillDefaults(schema, read);
    if (compiled.Check(whole)) return { value: decodeUnits(schema, whole) };
    const issues = schemaIssues(schema, whole);
    return { error: new InvalidRequest(issues.length > 0 ? issues : [{ path: [], message: "it is wrong" }]) };
  };
};

/** For a route whose schemas only describe it: something else checks what comes. */
export const describedOnly: FastifySchemaCompiler<TSchema> = () => (value: unknown) => ({ value });

export function checkRequests(app: Api): void {
  app.setValidatorCompiler(checked);
  // What the service itself made goes out as it is.
  app.setSerializerCompiler(() => JSON.stringify);
}
