import type { Static } from "typebox";
import { TOOL_INPUTS, type ToolName } from "../contract/mcp.ts";
import { type Ask, bytesFrom, jsonFrom } from "./ask.ts";

/** A part of what a tool gives back. */
export type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio"; readonly data: string; readonly mimeType: string };

interface Tool<Name extends ToolName> {
  readonly title: string;
  /** For the model that decides whether to call it. */
  readonly description: string;
  call(input: Static<(typeof TOOL_INPUTS)[Name]>, ask: Ask, signal: AbortSignal): Promise<Content[]>;
}

/** What a program may do with the box. None changes anything that lasts. */
export const TOOLS: { readonly [Name in ToolName]: Tool<Name> } = {
  list_feeds: {
    title: "List cameras and microphones",
    description: "Cameras and microphones of this box, with their ids and whether each is live.",
    call: async (_input, ask, signal) => [text(await jsonFrom(ask("/api/feeds", { signal })))],
  },
  look: {
    title: "Look through a camera",
    description: "The newest picture of a camera.",
    call: async ({ feed }, ask, signal) => {
      const jpeg = await bytesFrom(ask(`/api/feeds/${feed}/snapshot.jpg`, { signal }));
      return [{ type: "image", data: jpeg.toString("base64"), mimeType: "image/jpeg" }];
    },
  },
  listen: {
    title: "Listen to a microphone",
    description: "Records a microphone from now on, for up to 15 seconds.",
    call: async ({ feed, seconds }, ask, signal) => {
      const wav = await bytesFrom(ask(`/api/feeds/${feed}/clip.wav?seconds=${seconds}`, { signal }));
      return [{ type: "audio", data: wav.toString("base64"), mimeType: "audio/wav" }];
    },
  },
  list_watches: {
    title: "List watches",
    description:
      "The questions that this box asks of its feeds, with the fields of their answers and their rules.",
    call: async (_input, ask, signal) => [text(await jsonFrom(ask("/api/watches", { signal })))],
  },
  ask: {
    title: "Ask a watch now",
    description:
      "Asks a watch's question of what its feeds show at this moment. Answers with its fields, which rules hold, and what model answered. Nothing is recorded.",
    call: async ({ watch }, ask, signal) => {
      const body = { id: watch, snapshot: true };
      return [text(await jsonFrom(ask("/api/watches/try", { body, signal })))];
    },
  },
  search_events: {
    title: "Search events",
    description: "What happened before the cameras and microphones, newest first.",
    call: async ({ text: q, ...filter }, ask, signal) => {
      const wanted = Object.entries({ q, ...filter }).filter(([, value]) => value !== undefined);
      const query = new URLSearchParams(
        Object.fromEntries(wanted.map(([key, value]) => [key, String(value)])),
      );
      return [text(await jsonFrom(ask(`/api/events?${query}`, { signal })))];
    },
  },
};

const text = (value: unknown): Content => ({ type: "text", text: JSON.stringify(value) });

export const toolNames = Object.keys(TOOL_INPUTS) as ToolName[];
