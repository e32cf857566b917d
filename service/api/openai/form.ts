import type { OpenAiFault } from "./fault.ts";
import { Gathered } from "./gathered.ts";

/** Turns what the engine streams into what a client's stream holds. */
export interface StreamForm {
  /** Whole events of the engine, one or several; "" where nothing goes out for them. */
  take(events: string): string;
  /** What ends a stream that is complete. */
  end(): string;
  /** What ends one that failed once it had begun. */
  fail(fault: OpenAiFault): string;
}

/** Puts what the engine streams together. */
export interface WholeForm {
  take(events: string): void;
  whole(): object;
}

/** In whose words a request is answered. A form serves one try: where the engine is asked again there is a new one. */
export interface Wording {
  stream(): StreamForm;
  whole(): WholeForm;
  /** The body of an answer that is an error. */
  error(fault: OpenAiFault): object;
}

/** As the engine says it, which is OpenAI's way. */
export const engineWording = (kind: "chat" | "completion"): Wording => ({
  stream: () => ({
    take: (events) => events,
    end: () => "",
    fail: (fault) => `data: ${JSON.stringify(fault.body)}\n\n`,
  }),
  whole: () => new Gathered(kind),
  error: ({ body }) => body,
});
