import Type from "typebox";

/** Milliseconds in one of each unit that a duration may be written in. */
const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Bytes in one of each unit that a size may be written in (decimal, as disks are sold). */
const BYTES = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

const DURATION = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)$/;
const SIZE = /^(\d{1,9}(?:\.\d{1,9})?)(B|KB|MB|GB|TB)$/;

/** "250ms", "2s", "1.5m", "8h" or "30d" in milliseconds; undefined where the text is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match ? Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS]) : undefined;
}

const MOMENT = /^(?:(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d{1,3})?)|\d+(?:\.\d+)?(?:ms|s|m|h))$/;

/** "01:20", "0:07.5", "1:00:00" or a duration since the beginning in milliseconds; undefined where the text is none. */
export function parseMoment(text: string): number | undefined {
  const match = MOMENT.exec(text);
  if (!match) return undefined;
  const [, hours = "0", minutes, seconds] = match;
  if (minutes === undefined) return parseDuration(text);
  return Math.round(Number(hours) * MS.h + Number(minutes) * MS.m + Number(seconds) * MS.s);
}

/** Milliseconds as parseMoment reads them: "01:20", "00:07.500". */
export function momentText(ms: number): string {
  const [hours, minutes] = [Math.floor(ms / MS.h), Math.floor(ms / MS.m) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  const rest = Math.round(ms % MS.s);
  const seconds = `${two(Math.floor(ms / MS.s) % 60)}${rest === 0 ? "" : `.${String(rest).padStart(3, "0")}`}`;
  return [...(hours > 0 ? [String(hours)] : []), two(minutes), seconds].join(":");
}

/** "24KB" or "2GB" in bytes; undefined where the text is none of these. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  return match ? Math.round(Number(match[1]) * BYTES[match[2] as keyof typeof BYTES]) : undefined;
}

/** Milliseconds as parseDuration reads them, in the largest unit of which they are a whole number: "90s", "0s". */
export const durationText = (ms: number): string => inUnits(ms, MS, "s");

/** Bytes as parseSize reads them: "24KB", "0B". */
export const sizeText = (bytes: number): string => inUnits(bytes, BYTES, "B");

/** Bytes as people read them, rounded: "7.0 GB", "175.1 MB", "12 kB". */
export function bytesText(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

function inUnits(value: number, units: Readonly<Record<string, number>>, none: string): string {
  if (value === 0) return `0${none}`;
  const [name, one] = Object.entries(units).findLast(([, size]) => value % size === 0) ?? [none, 1];
  return `${value / one}${name}`;
}

/** A duration: written as text ("2s"), read by the program as milliseconds (loadConfig turns one into the other). */
export const Duration = (options: { default?: string; description: string }) =>
  Type.Unsafe<number>({ type: "string", format: "perch-duration", pattern: DURATION.source, ...options });

/** A moment of something that has a beginning: written as text ("00:20"), read by the program as milliseconds. */
export const Moment = (options: { description: string }) =>
  Type.Unsafe<number>({ type: "string", format: "perch-moment", pattern: MOMENT.source, ...options });

/** A size: written as text ("2GB"), read by the program as bytes. */
export const Size = (options: { default?: string; description: string }) =>
  Type.Unsafe<number>({ type: "string", format: "perch-size", pattern: SIZE.source, ...options });

/** Names that stand in topics, paths and URLs. */
export const Id = (description: string) =>
  Type.String({ pattern: "^[a-z0-9][a-z0-9_-]{0,62}$", description });

/** A value that may hold `${env:NAME}` or `${file:PATH}`, and that no log shows. */
export const Secret = (description: string) =>
  Type.String({ minLength: 1, format: "perch-secret", description });
