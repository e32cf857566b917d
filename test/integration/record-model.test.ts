import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Event } from "../../service/contract/observation.ts";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { recordIn } from "../support/record-opened.ts";

type Step =
  | { readonly kind: "write"; readonly observed: boolean; readonly of: number; readonly end: boolean }
  | { readonly kind: "acknowledge"; readonly share: readonly number[] }
  | { readonly kind: "settle" }
  | { readonly kind: "reopen" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("write" as const),
        observed: fc.boolean(),
        of: fc.nat(5),
        end: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("acknowledge" as const),
        share: fc.array(fc.nat(50), { maxLength: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: "settle" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  ),
  { maxLength: 60 },
);

/** What the record has to hold, kept in plain lists. */
class Model {
  outbox: { id: number; payload: string }[] = [];
  observations: string[] = [];
  readonly events = new Map<string, Event>();
  private nextId = 1;
  private written = 0;

  /** The entry of a step, and takes it in. */
  write({ observed, of, end }: Extract<Step, { kind: "write" }>) {
    this.written += 1;
    const name = `e${of}`;
    const before = this.events.get(name);
    const over = before?.phase === "end";
    const changes = over ? [] : [this.next(name, before, end)];
    const seen = observed ? observation(`o${this.written}`, {}, THEN + this.written) : undefined;
    const written = entry(seen, ...changes);
    for (const { payload } of written.messages) this.outbox.push({ id: this.nextId++, payload });
    if (seen) this.observations.push(seen.id);
    return written;
  }

  acknowledge(ids: readonly number[]): void {
    this.outbox = this.outbox.filter(({ id }) => !ids.includes(id));
  }

  private next(name: string, before: Event | undefined, end: boolean): Event {
    const sequence = before ? before.sequence + 1 : 0;
    const phase = end ? "end" : before ? "update" : "start";
    const ended = end ? new Date(THEN + this.written).toISOString() : null;
    const changed = event(name, { sequence, phase, ended }, THEN);
    this.events.set(name, changed);
    return changed;
  }
}

test("any order of writing, acknowledging and starting again leaves what was written and not acknowledged", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const folder = await mkdtemp(join(tmpdir(), "perch-record-model-"));
      const model = new Model();
      let record = recordIn(folder);
      await record.start();
      let under: Promise<void>[] = [];
      for (const step of plan) {
        if (step.kind === "write") under.push(record.write(model.write(step)));
        else if (step.kind === "acknowledge") {
          const known = record.outbox.read(0, 1000);
          const ids = step.share.flatMap((n) => known[n % Math.max(1, known.length)]?.id ?? []);
          model.acknowledge(ids);
          under.push(record.outbox.acknowledge(ids));
        } else if (step.kind === "settle") await Promise.all(under.splice(0));
        else {
          await record.stop();
          record = recordIn(folder);
          await record.start();
        }
      }
      await Promise.all(under);
      under = [];
      const open = [...model.events.values()].filter(({ phase }) => phase !== "end");
      expect(record.outbox.read(0, 1000).map(({ id, payload }) => ({ id, payload }))).toEqual(model.outbox);
      expect(record.outbox.pending()).toBe(model.outbox.length);
      expect(record.queries.observations({ limit: 1000 }).map(({ id }) => id)).toEqual(
        [...model.observations].reverse(),
      );
      expect(record.openEvents().sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
        open.sort((a, b) => (a.id < b.id ? -1 : 1)),
      );
      await record.stop();
      await rm(folder, { recursive: true });
    }),
    { numRuns: 60 },
  );
});
