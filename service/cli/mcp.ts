import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { loadConfig } from "../config/config.ts";
import { mcpServer } from "../mcp/server.ts";
import { RunningService } from "./service.ts";
import { version } from "./usage.ts";

/**
 * `perch mcp`: the Model Context Protocol on standard input and output, for an agent on this box that starts it. It
 * asks the running service with the local administrator's token. Resolves when the agent has gone.
 */
export async function mcp({ config: file }: { readonly config: string }): Promise<number> {
  const service = new RunningService(loadConfig(file, () => undefined));
  const server = mcpServer(
    (path, { body, signal }) =>
      service.ask(path, {
        signal,
        ...(body && {
          method: "POST",
          body: JSON.stringify(body),
          headers: { "content-type": "application/json" },
        }),
      }),
    version,
  );
  const over = new Promise<void>((resolve) => {
    server.onclose = resolve;
    // The SDK does not look for the end of its input.
    process.stdin.once("end", resolve);
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve());
  });
  await server.connect(new StdioServerTransport());
  await over;
  await server.close();
  return 0;
}
