import type { Change } from "../../contract/api-live.ts";
import type { GovernorState } from "../../contract/governor.ts";
import type { FeedStateMessage } from "../../contract/topics.ts";
import { type Clock, iso } from "../../kernel/clock.ts";
import { isPerchError, messageOf } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { LiveClient } from "./client.ts";
import { changeText, liveId, message } from "./text.ts";

/** Who may follow at the same time. */
const MOST = 256;
/** Ms between two signs of life. */
const HEARTBEAT = 15_000;
/** Changes that are read at once. */
const CHUNK = 100;

/** What changed, by the record. Every call throws a PerchError while the database is not open. */
export interface ChangeDesk {
  after(number: number, limit: number, observations: boolean): Change[];
  /** When a change was committed, epoch ms; undefined where it is not kept. */
  at(number: number): number | undefined;
  oldest(): { readonly number: number; readonly at: number } | undefined;
  /** 0 where there never was one. */
  newest(): number;
  /** Called after every commit. The returned function ends it. */
  onChanged(callback: () => void): () => void;
}

interface Options {
  readonly changes: ChangeDesk;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a client goes on. */
interface Resumed {
  readonly position: number;
  /** Why it is not told of all that it missed. */
  readonly gap?: string;
}

/**
 * Tells who follows of every change, as it is committed: read once, written as text once, for all of them. Who is
 * behind, for having been away or for reading slowly, reads from the record at its own pace until it has caught up.
 */
export class Live {
  private readonly clients = new Set<LiveClient>();
  private readonly states = new Map<string, string>();
  /** Number of the last change that those who are not behind were told of. */
  private head = 0;
  private telling = false;
  private stopWatching: (() => void) | undefined;
  private cancelHeartbeat: (() => void) | undefined;

  constructor(private readonly options: Options) {}

  /** Whether so many follow that no more can. */
  get full(): boolean {
    return this.clients.size >= MOST;
  }

  /** A feed does something else from now on. */
  feed(state: FeedStateMessage): void {
    this.state("feed", state.feed, state);
  }

  governor(state: GovernorState): void {
    this.state("governor", "", state);
  }

  /** Where a client goes on that has this id, or none. Throws what the record says. */
  resume(id: string | undefined): Resumed {
    const { changes } = this.options;
    const newest = changes.newest();
    if (id === undefined) return { position: newest };
    const [, number, at] = /^(\d{1,15})-(\d{1,15})$/.exec(id) ?? [];
    const position = Number(number);
    const kept = changes.at(position);
    if (number === undefined || position > newest || (kept !== undefined && kept !== Number(at)))
      return { position: newest, gap: "this id is not of this record, or the record was put back" };
    const oldest = changes.oldest();
    if (kept !== undefined || position === newest || position + 1 === oldest?.number) return { position };
    const first = (oldest?.number ?? newest + 1) - 1;
    return {
      position: first,
      gap: `changes before ${oldest ? iso(oldest.at) : "now"} are not kept any more`,
    };
  }

  /** Takes a client in, whose headers are sent; until its connection closes. */
  follow(client: LiveClient, { position, gap }: Resumed): void {
    const { changes } = this.options;
    if (this.clients.size === 0) this.begin();
    this.clients.add(client);
    client.send(`retry: 3000\n\n${message("hello", { gap: gap !== undefined }, this.idOf(position))}`);
    if (gap !== undefined) client.send(gapText(gap));
    for (const key of this.states.keys()) client.missed.add(key);
    client.behind = true;
    void this.catchUp(client, changes);
  }

  /** Its connection is closed. */
  left(client: LiveClient): void {
    client.over = true;
    this.clients.delete(client);
    if (this.clients.size > 0) return;
    this.stopWatching?.();
    this.cancelHeartbeat?.();
  }

  /** Ends all: the service stops. */
  close(): void {
    for (const client of this.clients) client.end(droppedText("the service stops"));
  }

  private begin(): void {
    const { changes } = this.options;
    this.head = changes.newest();
    this.stopWatching = changes.onChanged(() => void this.tell());
    this.planHeartbeat();
  }

  /** The id of a place, as far as it is known. */
  private idOf(position: number): string {
    return liveId(position, this.options.changes.at(position) ?? 0);
  }

  private state(kind: "feed" | "governor", of: string, data: object): void {
    const key = `${kind} ${of}`;
    const text = message(kind, data);
    this.states.set(key, text);
    for (const client of this.clients) {
      if (!client.wantsKind(kind)) continue;
      if (client.behind) client.missed.add(key);
      else this.send(client, text);
    }
  }

  /** Tells of what was committed, a chunk in each turn of the event loop. */
  private async tell(): Promise<void> {
    if (this.telling) return;
    this.telling = true;
    try {
      for (;;) {
        const live = [...this.clients].filter(({ behind }) => !behind);
        const observations = live.some(({ wantsObservations }) => wantsObservations);
        const chunk = this.options.changes.after(this.head, CHUNK, observations);
        for (const change of chunk) this.broadcast(change);
        if (chunk.length < CHUNK) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // The database is away: whoever follows is told when it is back.
      if (!isPerchError(error)) throw error;
    } finally {
      this.telling = false;
    }
  }

  private broadcast(change: Change): void {
    this.head = change.number;
    let text: Buffer | undefined;
    for (const client of this.clients) {
      if (client.behind || client.position >= change.number) continue;
      client.position = change.number;
      if (!client.wants(change)) continue;
      text ??= Buffer.from(textOf(change));
      this.send(client, text);
    }
  }

  /** To one who is not behind; it is from then on where its connection takes no more. */
  private send(client: LiveClient, text: string | Buffer): void {
    if (client.send(text)) return;
    client.behind = true;
    void this.catchUp(client, this.options.changes);
  }

  private async catchUp(client: LiveClient, changes: ChangeDesk): Promise<void> {
    try {
      for (;;) {
        if (!(await client.drained()))
          return this.drop(client, "you read nothing for 30 s: come again with the last id");
        if (client.over) return;
        const chunk = changes.after(client.position, CHUNK, client.wantsObservations);
        if (chunk.length === 0 && this.sendMissed(client)) {
          client.behind = false;
          return;
        }
        this.sendChunk(client, chunk);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      if (!isPerchError(error)) throw error;
      this.drop(client, messageOf(error));
    }
  }

  private sendChunk(client: LiveClient, chunk: readonly Change[]): void {
    for (const change of chunk) {
      client.position = change.number;
      if (!client.wants(change)) continue;
      client.send(textOf(change));
    }
  }

  /** False where its connection took no more before all was said. */
  private sendMissed(client: LiveClient): boolean {
    for (const key of client.missed) {
      client.missed.delete(key);
      const text = this.states.get(key) ?? "";
      const kind = key.startsWith("feed") ? "feed" : "governor";
      if (client.wantsKind(kind) && !client.send(text)) return false;
    }
    return true;
  }

  private drop(client: LiveClient, reason: string): void {
    if (client.over) return;
    this.options.logger.info({ part: "api" }, `a client that followed live was let go: ${reason}`);
    client.end(droppedText(reason));
  }

  private planHeartbeat(): void {
    this.cancelHeartbeat = this.options.clock.after(HEARTBEAT, () => {
      this.beat();
      if (this.clients.size > 0) this.planHeartbeat();
    });
  }

  /** A sign of life, with the id of the place: who wants little must not seem to be far behind. */
  private beat(): void {
    let id: string | undefined;
    for (const client of this.clients) {
      if (!client.allowed) {
        this.drop(client, "what was shown at the beginning does not count any more");
        continue;
      }
      if (client.behind) continue;
      id ??= this.beatId();
      this.send(client, client.position === this.head ? id : ":\n\n");
    }
  }

  private beatId(): string {
    try {
      return `:\nid: ${this.idOf(this.head)}\n\n`;
    } catch (error) {
      if (!isPerchError(error)) throw error;
      return ":\n\n";
    }
  }
}

const gapText = (reason: string): string => message("gap", { reason });
const textOf = (change: Change): string =>
  changeText(change) ?? gapText("an observation was removed before you came to it");
const droppedText = (reason: string): string => message("dropped", { reason });
