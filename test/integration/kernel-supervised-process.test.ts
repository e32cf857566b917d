import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import {
  type ChildExit,
  type ChildSpec,
  SupervisedProcess,
} from "../../service/kernel/supervised-process.ts";
import { FakeClock } from "../support/fake-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "perch-child-"));
afterAll(() => rmSync(folder, { recursive: true }));
const running: SupervisedProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => child.stop()));
});

type Options = ConstructorParameters<typeof SupervisedProcess>[0];

/** A child under supervision, what it wrote and how it ended, in order. */
function supervised(spec: Partial<ChildSpec> | (() => Partial<ChildSpec>), options: Partial<Options> = {}) {
  const exits: ChildExit[] = [];
  const written: string[] = [];
  const child = new SupervisedProcess({
    name: "child",
    clock: systemClock,
    logger: silentLogger,
    spec: () => ({ command: "/bin/sh", args: [], ...(typeof spec === "function" ? spec() : spec) }),
    onSpawn: ({ stdout }) => stdout.on("data", (bytes: Buffer) => written.push(bytes.toString())),
    onExit: (exit) => {
      exits.push(exit);
      return "stay-down";
    },
    backoff: { first: 1, most: 4 },
    grace: 200,
    ...options,
  });
  running.push(child);
  child.start();
  return { child, exits, output: () => written.join("") };
}

const sh = (script: string): Partial<ChildSpec> => ({ args: ["-c", script] });

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whether a process is there and no zombie that waits for its parent. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // No such process.
  }
}

/** Remembers what was waited for, but for what is as long as the grace of its test. */
class WaitingClock extends FakeClock {
  readonly waits: number[] = [];

  override after(ms: number, callback: () => void): () => void {
    if (ms < 100_000) this.waits.push(ms);
    return super.after(ms, callback);
  }
}

const numberIn = (text: string) => Number(/\d+/.exec(text)?.[0]);

describe("a child that ends", () => {
  it("starts again, and waits longer from time to time, until it has lived for long", async () => {
    const clock = new WaitingClock();
    const { waits } = clock;
    let lives = 0;
    const { child } = supervised(sh("exit 3"), {
      clock,
      grace: 100_000,
      settled: 30_000,
      backoff: { first: 1000, most: 8000 },
      onExit: () => {
        lives += 1;
        return "restart";
      },
      onSpawn: () => {
        if (lives === 5) clock.advance(30_000);
      },
    });
    for (let n = 1; n <= 6; n += 1) {
      await until(() => waits.length === n);
      expect(lives).toBe(n);
      expect(child.restarts).toBe(n - 1);
      clock.advance(8000);
    }
    const most = [1000, 2000, 4000, 8000, 8000, 1000];
    for (const [n, wait] of waits.slice(0, 6).entries()) {
      expect(wait).toBeLessThanOrEqual(most[n] ?? 0);
      expect(wait).toBeGreaterThanOrEqual((most[n] ?? 0) / 2);
    }
  });

  it("is told of with its code, its last words and how long it lived", async () => {
    const { exits } = supervised(sh("echo one >&2; printf two >&2; exit 7"));
    await until(() => exits.length === 1);
    expect(exits[0]).toMatchObject({ code: 7, signal: null, stderr: ["one", "two"] });
    expect(exits[0]?.error).toBeUndefined();
    expect(exits[0]?.lifetime).toBeGreaterThan(0);
  });

  it("may run something else the next time", async () => {
    let life = 0;
    const { output } = supervised(() => sh(`echo life ${++life}`), {
      onExit: () => (life < 3 ? "restart" : "stay-down"),
    });
    await until(() => output().includes("life 3"));
    expect(output()).toBe("life 1\nlife 2\nlife 3\n");
  });

  it("leaves no grandchild behind, not even one that holds its output open", async () => {
    const { exits, output } = supervised(sh("sleep 1000 & echo $!; exit 1"));
    await until(() => exits.length === 1);
    await until(() => !alive(numberIn(output())));
  });

  it("is not waited for by one that left its group and holds its output open", async () => {
    const { exits, output } = supervised(sh("setsid sleep 1000 & echo $!; sleep 0.1; exit 1"));
    await until(() => exits.length === 1);
    const stranger = numberIn(output());
    expect(alive(stranger)).toBe(true);
    process.kill(stranger);
  });

  it("has only its last lines kept, and of a long line its beginning or end", async () => {
    const { exits } = supervised(
      sh('for i in $(seq 100); do echo "line $i" >&2; done; head -c 3000000 /dev/zero | tr "\\0" x >&2'),
    );
    await until(() => exits.length === 1);
    const { stderr = [] } = exits[0] ?? {};
    expect(stderr).toHaveLength(40);
    expect(stderr[0]).toBe("line 62");
    expect(stderr.at(-1)).toMatch(/^x{500}$/);
  });
});

describe("stopping", () => {
  it("ends a child by SIGTERM where it obeys", async () => {
    const { child, output } = supervised(
      sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"),
      {
        grace: 60_000,
      },
    );
    await until(() => output().includes("up"));
    await child.stop();
    expect(output()).toBe("up\nbye\n");
    expect(child.pid).toBeUndefined();
  });

  it("ends a child that ignores SIGTERM, and its children with it", async () => {
    const { child, output, exits } = supervised(sh("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000"));
    await until(() => output() !== "");
    const { pid = 0 } = child;
    await child.stop();
    expect(alive(pid)).toBe(false);
    await until(() => !alive(numberIn(output())));
    // Nobody is asked whether to start it again.
    expect(exits).toEqual([]);
  });

  it("ends the wait between two lives, and no further life begins", async () => {
    let lives = 0;
    const { child } = supervised(sh("exit 1"), {
      clock: new FakeClock(),
      onExit: () => {
        lives += 1;
        return "restart";
      },
    });
    await until(() => lives === 1);
    await child.stop();
    child.start();
    expect(child.pid).toBeUndefined();
    expect(lives).toBe(1);
  });

  it("may be asked for before the start, and twice", async () => {
    const child = new SupervisedProcess({
      name: "child",
      clock: systemClock,
      logger: silentLogger,
      spec: () => ({ command: "/bin/true", args: [] }),
      onSpawn: () => expect.unreachable("it must not start"),
      onExit: () => "stay-down",
      backoff: { first: 1, most: 1 },
    });
    await Promise.all([child.stop(), child.stop()]);
    child.start();
    await child.stop();
  });
});

describe("a child that cannot be started", () => {
  const fault = async (spec: Partial<ChildSpec>) => {
    const { exits } = supervised(spec);
    await until(() => exits.length === 1);
    return exits[0]?.error;
  };

  it("is missing: SETUP_MISSING, by its name", async () => {
    const error = await fault({ command: "no-such-program" });
    expect(error?.code).toBe("SETUP_MISSING");
    expect(error?.message).toBe("no-such-program is not installed");
  });

  it("may not be run, has no folder to run in, or has too long a command line: PROCESS_FAILED, with the reason", async () => {
    const plain = join(folder, "plain");
    writeFileSync(plain, "no program\n", { mode: 0o600 });
    const errors = [
      await fault({ command: plain }),
      await fault({ cwd: "/no/such/folder" }),
      await fault({ args: ["x".repeat(3_000_000)] }),
      await fault({ args: ["a\0b"] }),
    ];
    expect(errors.map((error) => error?.code)).toEqual(Array(4).fill("PROCESS_FAILED"));
    expect(errors[0]?.message).toBe(`${plain} may not be run: Permission denied`);
    expect(errors[1]?.message).toBe("/bin/sh could not be started: there is no folder /no/such/folder");
    expect(errors[2]?.message).toMatch(/^\/bin\/sh could not be started: .*E2BIG/);
    expect(errors[3]?.message).toMatch(/^\/bin\/sh could not be started: .*null bytes/);
  });
});

describe("what a child is given", () => {
  it("is nothing of the environment that may be secret, and what it needs", async () => {
    process.env.PERCH_TEST_PASSWORD = "hunter2";
    const { exits, output } = supervised({ command: "/usr/bin/env", env: { OWN: "yes" } });
    await until(() => exits.length === 1);
    delete process.env.PERCH_TEST_PASSWORD;
    expect(output()).not.toContain("hunter2");
    expect(output()).toContain("OWN=yes\n");
    expect(output()).toContain(`PATH=${process.env.PATH}\n`);
  });

  it("is its input, whole, and then the end of it", async () => {
    const input = "secret line\n".repeat(20_000);
    const { exits, output } = supervised({ command: "/bin/cat", input });
    await until(() => exits.length === 1);
    expect(output()).toBe(input);
  });

  it("is input that it may leave unread", async () => {
    const { exits } = supervised({ command: "/bin/true", input: "x".repeat(1_000_000) });
    await until(() => exits.length === 1);
    expect(exits[0]).toMatchObject({ code: 0 });
  });

  it("is pipes of its own", async () => {
    const extra: string[] = [];
    const { exits } = supervised(
      { ...sh("echo three >&3; echo four >&4"), extraPipes: 2 },
      {
        onSpawn: ({ stdout, extra: pipes }) => {
          stdout.resume();
          for (const [n, pipe] of pipes.entries())
            pipe.on("data", (bytes: Buffer) => extra.push(`${n} ${bytes}`));
        },
      },
    );
    await until(() => exits.length === 1);
    expect(extra.sort()).toEqual(["0 three\n", "1 four\n"]);
  });
});

it("a child dies when its parent is killed by SIGKILL", async () => {
  const holder = spawn(process.execPath, ["--import", "tsx", "test/support/child-holder.ts"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let written = "";
  holder.stdout.on("data", (bytes: Buffer) => {
    written += bytes;
  });
  await until(() => written.includes("\n"));
  const pid = numberIn(written);
  expect(alive(pid)).toBe(true);
  holder.kill("SIGKILL");
  await until(() => !alive(pid));
});
