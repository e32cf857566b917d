import pino from "pino";
import pretty from "pino-pretty";

export type Logger = pino.Logger;

/** Log lines for a person where standard error is a terminal, JSON lines elsewhere. Standard output stays free for events. */
export function createLogger(level: string, terminal = process.stderr.isTTY === true): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    // A secret that slips into a logged object is hidden here; messages never hold one.
    redact: {
      paths: ["password", "*.password", "key", "*.key", "authorization", "*.authorization"],
      censor: "[hidden]",
    },
  };
  if (!terminal) return pino(options, pino.destination({ dest: 2, sync: true }));
  const stream = pretty({
    destination: 2,
    sync: true,
    colorize: true,
    translateTime: "SYS:HH:MM:ss",
    ignore: "part,feed,watch,pid,hostname",
    hideObject: true,
  });
  return pino(options, stream);
}

/** A logger that says nothing, for tests and one-off commands. */
export const silentLogger: Logger = pino({ level: "silent" });
