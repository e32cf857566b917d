import { harmless } from "../../inference/prompt.ts";

/** A text that may go to the model: control tokens and media markers are taken out, and it is UTF-8. */
export const clean = (text: string): string => harmless(wellFormed(text));

/** Half of a surrogate pair is no UTF-8, and the engine fails on it: it becomes the replacement character. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");
