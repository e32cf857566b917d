import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { packageRoot } from "../../service/kernel/paths.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { freePort } from "../support/free-port.ts";
import { CELL_FEEDS } from "../support/perch.ts";
import { perchTold } from "../support/perch-command.ts";
import { until } from "../support/until.ts";

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "perch-chat-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const port = await freePort();
  const config = { node: "cell", data: join(folder, "data"), http: { port }, feeds: [], watches: [] };
  writeFileSync(join(folder, "perch.json"), JSON.stringify(config));
});

const chat = (input: string, ...words: string[]) =>
  perchTold(folder, input, "chat", "--config", "perch.json", ...words);

describe("perch chat, where no service runs", () => {
  it("starts an engine of its own, asks line by line and remembers what was said", async () => {
    const picture = join(packageRoot, "docs/cell.jpg");
    const { code, out, err } = await chat(`Hello.\n/image ${picture}\nIs there a person?\n/history\n`);
    expect([code, err]).toEqual([0, ""]);
    const lines = out.trimEnd().split("\n");
    const history = lines.slice(-4);
    expect(history).toEqual([
      "> Hello.",
      `< ${lines[0]}`,
      "> [cell.jpg] Is there a person?",
      `< ${lines[1]}`,
    ]);
  });

  it("says what is wrong with a line and goes on, and a script sees it by the exit code", async () => {
    writeFileSync(join(folder, "broken.jpg"), "no picture");
    const { code, out, err } = await chat("/dance\n/image /no/such.jpg\n/image broken.jpg\nWhat?\nHello.\n");
    expect(code).toBe(1);
    expect(err.split("\n")).toEqual([
      expect.stringContaining("there is no /dance"),
      expect.stringContaining("/no/such.jpg cannot be read"),
      expect.stringContaining("this is no JPEG, PNG or WebP picture"),
      "",
    ]);
    expect(out.trim().split("\n")).toHaveLength(1);
  });
});

describe("a feed of the running service", () => {
  it("is asked about as it is now, and one that there is not is named", async () => {
    const perch = new ServedAppliance({ feeds: CELL_FEEDS, watches: [] });
    onTestFinished(() => perch.dispose());
    const port = await freePort();
    await perch.start({ http: { port } });
    await perch.ready();
    await until(async () => (await perch.ask("/api/feeds/camera/snapshot.jpg")).status === 200);
    const config = { node: "cell", data: perch.data, http: { port }, feeds: CELL_FEEDS, watches: [] };
    writeFileSync(join(folder, "perch.json"), JSON.stringify(config));
    const schema = { light: { type: "enum", values: ["off", "green", "amber", "red"] } };
    writeFileSync(join(folder, "light.json"), JSON.stringify(schema));

    const asked = await perchTold(
      folder,
      "",
      ...["ask", "Which light?", "--feed", "camera", "--schema", "light.json", "--config", "perch.json"],
    );
    expect([asked.code, asked.err]).toEqual([0, ""]);
    expect(schema.light.values).toContain((JSON.parse(asked.out) as { light: string }).light);

    const talked = await chat("/feed camera\n/feed microphone\nWhat is there?\n/feed attic\n/history\n");
    expect(talked.err).toContain("there is no feed attic; the configuration has camera, microphone");
    expect(talked.out).toContain("> [camera] [microphone] What is there?");
  });
});
