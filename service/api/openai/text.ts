import { harmless } from "../../inference/prompt.ts";

/**
 * A text that may go to the model: control tokens and media markers are taken out, and half of a surrogate pair,
 * which is no UTF-8, becomes the replacement character.
 */
export const clean = (text: string): string => harmless(text.replace(/\p{Surrogate}/gu, "\ufffd"));
