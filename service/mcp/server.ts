import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  CallToolRequestSchema,
  ErrorCode,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { TSchema } from "typebox";
import { publicSchema } from "../contract/json-schema.ts";
import { TOOL_INPUTS, type ToolName } from "../contract/mcp.ts";
import { fillDefaults, pathText, schemaIssues } from "../kernel/config-schema.ts";
import { isPerchError } from "../kernel/errors.ts";
import { type Ask, Refused } from "./ask.ts";
import { resourceAt, resourceList, TEMPLATES } from "./resources.ts";
import { type Content, TOOLS, toolNames } from "./tools.ts";

const INSTRUCTIONS =
  "Perch watches this box's cameras and microphones with a local model. list_feeds and list_watches show what there is; look and listen show what is there now; ask puts a watch's question to the model; search_events finds what happened.";

/** A server of the Model Context Protocol over Perch's HTTP API; one for each connection. */
export function mcpServer(ask: Ask, version: string): Server {
  const server = new Server(
    { name: "perch", title: "Perch", version },
    { capabilities: { tools: {}, resources: {} }, instructions: INSTRUCTIONS },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: toolNames.map(toolLine) }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    const name = toolNames.find((known) => known === params.name);
    if (!name)
      throw new McpError(
        ErrorCode.InvalidParams,
        `there is no tool ${params.name.slice(0, 100)}; there are ${toolNames.join(", ")}`,
      );
    return called(() => call(name, params.arguments ?? {}, ask, signal));
  });
  server.setRequestHandler(ListResourcesRequestSchema, async (_request, { signal }) => ({
    resources: await told(resourceList(ask, signal)),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [...TEMPLATES] }));
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }, { signal }) => {
    const resource = await told(resourceAt(uri, ask, signal));
    if (resource) return { contents: [resource] };
    throw new McpError(ErrorCode.InvalidParams, `there is nothing at ${uri.slice(0, 200)}`);
  });
  return server;
}

function toolLine(name: ToolName) {
  const { title, description } = TOOLS[name];
  const {
    $schema: _schema,
    title: _title,
    ...inputSchema
  } = publicSchema(TOOL_INPUTS[name], "") as {
    readonly [key: string]: unknown;
  };
  return {
    name,
    title,
    description,
    inputSchema: { ...inputSchema, type: "object" as const },
    annotations: { title, readOnlyHint: true, openWorldHint: false },
  };
}

/** Checks what a tool was called with, then calls it. Throws Refused. */
function call<Name extends ToolName>(name: Name, given: object, ask: Ask, signal: AbortSignal) {
  const schema: TSchema = TOOL_INPUTS[name];
  const input = fillDefaults(schema, given);
  const issues = schemaIssues(schema, input);
  if (issues.length > 0)
    throw new Refused(issues.map(({ path, message }) => `${pathText(path)} ${message}`.trim()).join("; "));
  return TOOLS[name].call(input as Parameters<(typeof TOOLS)[Name]["call"]>[0], ask, signal);
}

/** A tool that cannot do it says so in its result: then the model that called it can mend its call. */
async function called(act: () => Promise<Content[]>) {
  try {
    return { content: await act() };
  } catch (error) {
    if (!isForeseen(error)) throw error;
    return { content: [{ type: "text" as const, text: error.message }], isError: true };
  }
}

async function told<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (!isForeseen(error)) throw error;
    throw new McpError(ErrorCode.InvalidRequest, error.message);
  }
}

const isForeseen = (error: unknown): error is Error => error instanceof Refused || isPerchError(error);
