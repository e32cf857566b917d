/** Bytes of a file, the last one included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What asks for a part of a file, or only if it is still the one: the headers of RFC 9110 (13.1, 14.2). */
export interface RangeHeaders {
  readonly range?: string | undefined;
  readonly "if-range"?: string | undefined;
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}

/**
 * What a Range header asks of a file of `size` bytes: one range, or "whole" where there is no header or one that may be
 * left aside (another unit, several ranges, no range at all), or "none" where it asks for bytes that the file has not.
 * `etag`: the file's; another one in If-Range means that the client has the beginning of another file.
 */
export function rangeOf(headers: RangeHeaders, size: number, etag: string): ByteRange | "whole" | "none" {
  const { range, "if-range": ifRange } = headers;
  // A weak one or a date never says that every byte is the same.
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return "whole";
  const [, from = "", to = ""] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(range.trim()) ?? [];
  if (from === "" && to === "") return "whole";
  if (from === "") return lastBytes(Number(to), size);
  const [first, last] = [Number(from), to === "" ? Number.POSITIVE_INFINITY : Number(to)];
  if (last < first) return "whole";
  return first < size ? { first, last: Math.min(last, size - 1) } : "none";
}

function lastBytes(count: number, size: number): ByteRange | "none" {
  return count > 0 && size > 0 ? { first: Math.max(0, size - count), last: size - 1 } : "none";
}

/** Whether it is wanted at all: "changed" where If-Match names another (412), "same" where If-None-Match names it (304). */
export function preconditionOf(headers: RangeHeaders, etag: string): "met" | "changed" | "same" {
  const { "if-match": match, "if-none-match": noneMatch } = headers;
  if (match !== undefined && !names(match, etag)) return "changed";
  return noneMatch !== undefined && names(noneMatch.replaceAll("W/", ""), etag) ? "same" : "met";
}

const names = (list: string, etag: string): boolean =>
  list.split(",").some((one) => one.trim() === etag || one.trim() === "*");
