/** An answer of Perch's HTTP API, as far as the tools read it. */
export interface Answered {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * Asks Perch's own HTTP API with the rights of whoever uses the tools: over the network for `perch mcp`, within the
 * process for /mcp. So what a caller may do is decided in one place.
 */
export type Ask = (
  path: string,
  init: { readonly body?: object; readonly signal: AbortSignal },
) => Promise<Answered>;

/** A request that was refused, in the API's own words. */
export class Refused extends Error {}

export async function jsonFrom(asking: Promise<Answered>): Promise<unknown> {
  return JSON.parse(await (await granted(asking)).text());
}

export async function bytesFrom(asking: Promise<Answered>): Promise<Buffer> {
  return Buffer.from(await (await granted(asking)).arrayBuffer());
}

async function granted(asking: Promise<Answered>): Promise<Answered> {
  const answered = await asking;
  if (answered.ok) return answered;
  throw new Refused(said(await answered.text()) ?? `Perch answered ${answered.status}`);
}

function said(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
