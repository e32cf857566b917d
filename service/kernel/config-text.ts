import { closeSync, openSync, readSync } from "node:fs";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLError,
} from "yaml";
import type { Path } from "./config-schema.ts";
import { messageOf, systemCode } from "./errors.ts";

/** A configuration is a page or two; what is larger is some other file. Bytes. */
export const LARGEST_FILE = 1_000_000;
/** Depth that no configuration needs, and that a parser which calls itself does not survive for long. */
const DEEPEST = 100;
/** After so many errors in the syntax the rest are consequences of the first. */
const MOST_ERRORS = 10;

/** One error in the syntax of a file. */
export interface SyntaxFault {
  readonly line: number;
  readonly message: string;
}

/** The text of a file of at most so many bytes. Throws an Error whose message goes after the file's name. */
export function readText(file: string, most = LARGEST_FILE): string {
  let bytes: Buffer;
  try {
    bytes = readStart(file, most + 1);
  } catch (error) {
    if (systemCode(error) === "ENOENT") throw new Error("there is no such file", { cause: error });
    if (systemCode(error) === "EISDIR") throw new Error("it is a folder, not a file", { cause: error });
    if (systemCode(error) === "EACCES") throw new Error("this user may not read the file", { cause: error });
    throw new Error(messageOf(error), { cause: error });
  }
  if (bytes.length > most) throw new Error(`it is larger than ${most / 1000} KB, which none needs to be`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error("it is not UTF-8 text", { cause: error });
  }
}

/** The first so many bytes. Sizes are not asked for: pipes and devices have none. */
function readStart(file: string, most: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(most);
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read)
      read = readSync(descriptor, bytes, length, most - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** A YAML document that knows on which line each of its keys is. */
export class ConfigText {
  private readonly document: Document.Parsed | undefined;
  private readonly lines = new LineCounter();
  /** Empty where the document can be read. */
  readonly faults: readonly SyntaxFault[];

  constructor(private readonly text: string) {
    if (nestedTooDeep(text)) {
      this.faults = [{ line: 1, message: `lists or mappings are nested more than ${DEEPEST} deep` }];
      return;
    }
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, logLevel: "error" });
    const { errors, warnings } = this.document;
    const found = [...errors, ...warnings].map((error) => this.fault(error));
    this.faults = [...found, ...this.aliasFaults(this.document)].slice(0, MOST_ERRORS);
  }

  /** The document as plain values. Only of a text without faults; throws an Error that says what is wrong. */
  toValue(): unknown {
    try {
      return this.document?.toJS({ maxAliasCount: 100 }) ?? {};
    } catch (error) {
      throw new Error("aliases (*name) unfold into far more than a configuration holds", { cause: error });
    }
  }

  /** Line of the deepest node on the path that the text has, and the scalar written there. */
  locate(path: Path): { line: number; scalar?: Scalar } {
    let offset = 0;
    let node: unknown = this.document?.contents;
    for (const part of path) {
      const place = step(node, part);
      if (place?.offset === undefined) return { line: this.line(offset) };
      offset = place.offset;
      node = place.node;
    }
    return { line: this.line(offset), ...(isScalar(node) && { scalar: node }) };
  }

  private line(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line);
  }

  /** The parser's words quote the text, which may be a password; these do not. */
  private fault({ code, message, pos: [from] }: YAMLError): SyntaxFault {
    const line = this.line(from);
    switch (code) {
      case "DUPLICATE_KEY":
        return {
          line,
          message: `the key ${/^[\w-]+/.exec(this.text.slice(from))?.[0] ?? ""} is there twice`,
        };
      case "MULTIPLE_DOCS":
        return { line, message: "a second document begins here (---); a file holds one" };
      case "TAG_RESOLVE_FAILED":
        return { line, message: "tags (!name) are not known here; a text that begins with ! goes in quotes" };
      case "UNEXPECTED_TOKEN":
        return { line, message: `this does not belong here (column ${this.lines.linePos(from).col})` };
      default:
        return { line, message };
    }
  }

  private aliasFaults(document: Document.Parsed): SyntaxFault[] {
    const faults: SyntaxFault[] = [];
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) !== undefined) return;
        faults.push({
          line: this.line(alias.range?.[0] ?? 0),
          message:
            "there is no anchor (&name) above for this alias; a text that begins with * goes in quotes",
        });
      },
    });
    return faults;
  }
}

/** The child of a node, and where its key, or in a list itself, begins. */
function step(
  parent: unknown,
  part: string | number,
): { node: unknown; offset: number | undefined } | undefined {
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
    return pair && { node: pair.value, offset: start(pair.key) };
  }
  if (!isSeq(parent)) return undefined;
  const node = parent.items[Number(part)];
  return { node, offset: start(node) };
}

const start = (node: unknown): number | undefined =>
  isNode(node) || isAlias(node) ? (node as Node).range?.[0] : undefined;

/** By a rough count that never takes a sensible text for a deep one. */
function nestedTooDeep(text: string): boolean {
  if (/(?:[-?:] +){100}|^ {1000}/m.test(text)) return true;
  let depth = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = bracket === "[" || bracket === "{" ? depth + 1 : Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return false;
}
