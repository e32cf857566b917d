import { PerchError } from "../kernel/errors.ts";
import type { ChildExit } from "../kernel/supervised-process.ts";

/** What llama-server writes when it ends, and what that means to whoever runs the box; first match holds. */
const MEANINGS: readonly {
  readonly pattern: RegExp;
  readonly code: "SETUP_MISSING" | "ENGINE_FAILED" | "ENGINE_MEMORY" | "MODEL_CORRUPT";
  readonly meaning: (match: RegExpExecArray) => string;
}[] = [
  {
    pattern: /error while loading shared libraries: ([^:]+)/,
    code: "SETUP_MISSING",
    meaning: ([, library]) => `its library ${library} is not there: run npm run setup`,
  },
  {
    pattern: /out of memory|failed to allocate|unable to allocate|bad_alloc|OutOfDeviceMemory/i,
    code: "ENGINE_MEMORY",
    meaning: () =>
      "there is not enough memory for this level: choose a lower one (engine.level), or end what else uses the memory",
  },
  {
    pattern:
      /unknown model architecture|invalid magic|not within the file bounds|error loading model|failed to load (?:model|clip|multimodal)/i,
    code: "MODEL_CORRUPT",
    meaning: () =>
      "it cannot load the model: copy the model files again, and see that text and mmproj belong together",
  },
  {
    pattern: /couldn't bind/,
    code: "ENGINE_FAILED",
    meaning: () => "it cannot listen on its socket",
  },
  {
    pattern: /(GGML_ASSERT\(.*|.*\bAssertion\b.*)/,
    code: "ENGINE_FAILED",
    meaning: ([, assertion]) => `it gave up on a state that it takes for impossible (${assertion})`,
  },
];

/** Why a llama-server that was not told to has ended, in plain words. */
export function explainExit(exit: ChildExit): PerchError {
  if (exit.error) {
    const hint = exit.error.code === "SETUP_MISSING" ? ": run npm run setup" : "";
    return new PerchError(exit.error.code, `${exit.error.message}${hint}`, exit.error);
  }
  // From the last line back: what it wrote last is nearest to the cause.
  for (const { pattern, code, meaning } of MEANINGS) {
    for (const line of exit.stderr.toReversed()) {
      const match = pattern.exec(line);
      if (match) return new PerchError(code, `the engine ended: ${meaning(match)} (it wrote: ${line})`);
    }
  }
  if (exit.signal === "SIGKILL")
    return new PerchError(
      "ENGINE_FAILED",
      "the engine was killed from outside (SIGKILL), as the kernel does when memory runs out: see dmesg",
    );
  const how = exit.signal ? `by ${exit.signal}` : `with exit code ${exit.code}`;
  const last = exit.stderr.at(-1);
  return new PerchError(
    "ENGINE_FAILED",
    `the engine ended ${how}${last ? ` (it wrote: ${last})` : " and wrote nothing"}`,
  );
}
