import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Config } from "./config.ts";
import { publicSchema } from "./json-schema.ts";
import { Models } from "./models.ts";
import { topicsPage } from "./topics-page.ts";

/** Every file that is made of the contract: its path in the repository and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["config/schema.json", json(publicSchema(Config, "Perch configuration"))],
    ["config/models.schema.json", json(publicSchema(Models, "Perch model ladders"))],
    ["docs/topics.md", topicsPage()],
  ]);
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** `npm run generate` writes them. */
const run = process.argv[1];
if (run !== undefined && import.meta.url === pathToFileURL(run).href) {
  const root = join(import.meta.dirname, "../..");
  for (const [path, text] of generatedFiles()) {
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}
