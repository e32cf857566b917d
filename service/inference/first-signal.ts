/**
 * A signal that aborts when one of two does, for the same reason. AbortSignal.any keeps some 50 bytes for each in a
 * signal that lives on, as a server's does: 45 MB a day at ten requests a second.
 */
export function firstOf(...signals: readonly AbortSignal[]): { signal: AbortSignal; forget(): void } {
  const given = new AbortController();
  const abort = () => given.abort(signals.find(({ aborted }) => aborted)?.reason);
  for (const one of signals) one.addEventListener("abort", abort);
  if (signals.some(({ aborted }) => aborted)) abort();
  return {
    signal: given.signal,
    forget: () => {
      for (const one of signals) one.removeEventListener("abort", abort);
    },
  };
}
