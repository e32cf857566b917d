import { PerchError } from "../kernel/errors.ts";

/** Where a list goes on. */
export interface Place {
  /** Epoch ms. */
  readonly time: number;
  readonly number: number;
}

const CURSOR = /^([a-z]+) (-?\d{1,16}) (\d{1,16})$/;

/** A place as clients hand it back; `list` says of which list it is, so that none is taken for another's. */
export const cursorOf = (list: string, place: Place | undefined): string | null =>
  place ? Buffer.from(`${list} ${place.time} ${place.number}`).toString("base64url") : null;

/** Throws PerchError REQUEST_INVALID where it is none of this list. */
export function placeOf(list: string, cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const [, of, time, number] = CURSOR.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (of !== list)
    throw new PerchError(
      "REQUEST_INVALID",
      "cursor: it is not the `next` of a page of this list in this order: begin without one",
    );
  return { time: Number(time), number: Number(number) };
}

/** A time that the contract's pattern let through, epoch ms. Throws PerchError REQUEST_INVALID for a 30th of February. */
export function momentOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw new PerchError("REQUEST_INVALID", `${name}: there is no time ${text}`);
  return moment;
}
