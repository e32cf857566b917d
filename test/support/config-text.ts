import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Type from "typebox";
import { Duration, Secret, Size } from "../../service/contract/units.ts";
import { ConfigError, type Issue, readConfigFile } from "../../service/kernel/config-file.ts";

const closed = { additionalProperties: false };
const Box = Type.Object(
  {
    kind: Type.Literal("box"),
    size: Type.Integer({ minimum: 1, maximum: 9, default: 3 }),
    lid: Type.Object({ colour: Type.Enum(["red", "blue"], { default: "red" }) }, { ...closed, default: {} }),
  },
  closed,
);
const Pipe = Type.Object(
  {
    kind: Type.Literal("pipe"),
    url: Type.String({ pattern: "^https://", description: "https:// and host." }),
    password: Type.Optional(Secret("Password of the pipe.")),
  },
  closed,
);
const Thing = Type.Union([Box, Pipe], { discriminator: { propertyName: "kind" } });
export const Schema = Type.Object(
  {
    name: Type.String({ minLength: 1, description: "What it is called." }),
    wait: Duration({ default: "2s", description: "How long." }),
    room: Size({ default: "1KB", description: "How much." }),
    on: Type.Boolean({ default: true }),
    password: Type.Optional(Type.String({ format: "perch-secret", minLength: 12 })),
    first: Type.Union([Box, Pipe], { discriminator: { propertyName: "kind" }, default: { kind: "box" } }),
    things: Type.Array(Thing, { default: [], maxItems: 3 }),
    limits: Type.Record(Type.String({ pattern: "^[a-z]+$" }), Type.Integer({ minimum: 0 }), {
      default: {},
      additionalProperties: false,
    }),
  },
  closed,
);

/** A configuration file of a test's own. */
export class TestFile {
  readonly folder = mkdtempSync(join(tmpdir(), "perch-config-"));
  private readonly file = join(this.folder, "a.yaml");

  read(text: string | Buffer, semantics?: () => Issue[]): unknown {
    writeFileSync(this.file, text);
    return readConfigFile(Schema, this.file, semantics);
  }

  /** The errors of a text, with F for the file's path. */
  errors(text: string | Buffer, semantics?: () => Issue[]): string[] {
    try {
      this.read(text, semantics);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.map((line) => line.replaceAll(this.file, "F"));
      throw error;
    }
    return [];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
