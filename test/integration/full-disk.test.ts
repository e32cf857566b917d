import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Backup } from "../../service/contract/api-record.ts";
import { testFolder } from "../support/record-opened.ts";

/** Runs a script where it may mount a disk of its own, and reads the JSON that it prints. */
async function onOwnDisk<T>(script: string, ...args: string[]): Promise<T> {
  const path = join("test", "support", script);
  const { stdout } = await promisify(execFile)(
    "unshare",
    ["--map-root-user", "--mount", process.execPath, "--import", "tsx", path, ...args],
    { timeout: 58_000 },
  );
  return JSON.parse(stdout) as T;
}

describe("a backup on a disk that runs full under it", () => {
  it("fails and says why, leaves nothing, and the record goes on; with too little room none is begun", async () => {
    const seen = await onOwnDisk<{
      failed: Backup[];
      left: string[];
      health: string;
      written: number;
      counts: { observations: number };
      refused: number;
      afterwards: Backup[];
    }>("backup-full-disk.ts", await testFolder());
    expect(seen.failed).toMatchObject([
      { state: "failed", fault: expect.stringMatching(/disk of .* is full|disk ran short/) },
    ]);
    expect(seen.left).toEqual([]);
    expect(seen.written).toBeGreaterThan(1_000);
    expect([seen.health, seen.counts.observations]).toEqual(["ok", seen.written]);
    expect(seen.refused).toBe(507);
    expect(seen.afterwards).toMatchObject([{ state: "done" }]);
  });
});

describe("an upload on a disk that is short or runs full", () => {
  it("is refused with 507, leaves nothing behind, and the next one is heard when there is room", async () => {
    interface Seen {
      readonly answer: { readonly status: number; readonly body: unknown };
      readonly left: string[];
    }
    const seen = await onOwnDisk<{
      short: Seen;
      backup: number;
      full: Seen;
      again: Seen;
      record: string;
    }>("upload-full-disk.ts");
    const refused = {
      status: 507,
      body: { error: { code: "data_full", message: expect.stringMatching(/no room/) } },
    };
    expect(seen.short).toMatchObject({ answer: refused, left: [] });
    expect(seen.full).toMatchObject({ answer: refused, left: [] });
    expect(seen.backup).toBe(507);
    expect(seen.again).toMatchObject({
      answer: { status: 200, body: { text: expect.any(String) } },
      left: [],
    });
    expect(seen.record).toBe("ok");
  });
});
