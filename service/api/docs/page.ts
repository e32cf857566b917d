import { exampleOf, type Row, rowsOf, type Schema, textOf, typeText } from "./schema.ts";
import { DOCS_STYLE } from "./style.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}
type Content = Readonly<
  Record<string, { readonly schema?: Schema; readonly example?: unknown; readonly examples?: object }>
>;
interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  /** Each names what has to be shown together. */
  readonly security?: readonly { readonly [scheme: string]: unknown }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content; readonly headers?: object }>
  >;
}

/** What the page reads of an OpenAPI document. */
export interface Described {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** What stands for a response that says nothing of itself. */
const NOTHING_SAID = "Default Response";

/** The API as one page of HTML, without scripts and without anything from elsewhere. */
export function docsPage({ info, tags = [], paths = {} }: Described): string {
  const entries = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const chapters = tags
    .map((tag) => ({ ...tag, entries: entries.filter(({ operation }) => operation.tags?.[0] === tag.name) }))
    .filter((chapter) => chapter.entries.length > 0);
  const title = `${info.title} ${info.version}: its API`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${DOCS_STYLE}</style></head>
<body><div class="page">
<nav aria-label="Chapters">${chapters.map(contents).join("")}</nav>
<main>
<h1>${escaped(title)}</h1>
<p>${escaped(info.description ?? "")} For programs: <a href="/api/openapi.json">OpenAPI 3.1</a>.</p>
<p>Bodies are JSON. What is refused says why: <code>{"error": "…", "code": "…"}</code>, and for a request that is wrong
<code>issues</code>, every fault with its place. Durations are text: <code>"250ms"</code>, <code>"2s"</code>,
<code>"8h"</code>. Times are ISO 8601 in UTC.</p>
<p>Most of it needs a token. <code>perch token create</code> makes one for a role; keep it in a file for curl:</p>
<pre>(umask 077; printf 'Authorization: Bearer ' &gt; header.txt
 perch token create --name line-3 --role operator &gt;&gt; header.txt)</pre>
<p>A page in a browser uses its login instead: the cookie that <code>POST /api/session</code> sets, and for everything but
GET and HEAD the header <code>x-csrf-token</code> with <code>csrf</code> of its answer.</p>
${chapters.map(chapterText).join("\n")}
</main></div></body></html>
`;
}

interface Chapter {
  readonly name: string;
  readonly description?: string;
  readonly entries: readonly Entry[];
}

function contents({ name, entries }: Chapter): string {
  const lines = entries.map(
    (entry) =>
      `<li><a href="#${anchor(entry)}">${methodText(entry.method)}<span>${escaped(entry.path).replaceAll("/", "/<wbr>")}</span></a></li>`,
  );
  return `<h2><a href="#${escaped(name)}">${escaped(name)}</a></h2><ol>${lines.join("")}</ol>`;
}

function chapterText({ name, description = "", entries }: Chapter): string {
  return `<section><h2 id="${escaped(name)}">${escaped(name)}</h2>
<p class="dim">${escaped(description)}</p>
${entries.map(entryText).join("\n")}</section>`;
}

function entryText(entry: Entry): string {
  const { method, path, operation } = entry;
  const { summary = "", description, parameters = [] } = operation;
  const body = bodyOf(operation);
  return `<article id="${anchor(entry)}">
<h3>${methodText(method)}<span class="path">${escaped(path)}</span></h3>
<p>${escaped(summary)}</p>
${description ? `<p class="dim">${escaped(description)}</p>` : ""}
${parameters.length > 0 ? `<h4>Parameters</h4>${table(parameters.map(parameterRow))}` : ""}
${body ? `<h4>Body</h4>${body.description ? `<p class="dim">${escaped(body.description)}</p>` : ""}${table(rowsOf(body))}` : ""}
${responsesText(operation)}
<h4>Example</h4><pre>${escaped(curlOf(entry, body))}</pre>
</article>`;
}

function responsesText({ responses = {} }: Operation): string {
  return Object.entries(responses)
    .map(([status, { description = "", content }]) => {
      const schema = content?.["application/json"]?.schema;
      const said = description === NOTHING_SAID ? "" : description;
      const rows = schema ? rowsOf(schema) : [];
      if (rows.length === 0) return said === "" ? "" : `<p class="dim">${escaped(`${status}: ${said}`)}</p>`;
      const label = ["Answer", status, said].filter(Boolean).join(" · ");
      return `<details><summary>${escaped(label)}</summary>${table(rows)}</details>`;
    })
    .join("");
}

/** The schema of a request's body, with the example that goes with it. */
function bodyOf({ requestBody }: Operation): Schema | undefined {
  const { content = {} } = requestBody ?? {};
  const { schema, example, examples } = content["application/json"] ?? Object.values(content)[0] ?? {};
  const [first] = Object.values(examples ?? {}) as { readonly value?: unknown }[];
  const shown = example ?? first?.value;
  return schema && shown !== undefined ? { ...schema, examples: [shown] } : schema;
}

const parameterRow = ({ name, in: place, required = false, description, schema = {} }: Parameter): Row => ({
  name: place === "header" ? `${name}:` : place === "query" ? `?${name}=` : name,
  type: typeText(schema),
  required,
  text: textOf({ ...schema, ...(description !== undefined && { description }) }),
});

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ name, type, required, text }) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${escaped(type)}${required ? ", required" : ""}</td><td>${escaped(text)}</td></tr>`,
  );
  return `<div class="wide"><table>${lines.join("")}</table></div>`;
}

function curlOf({ method, path, operation }: Entry, body: Schema | undefined): string {
  const words = ["curl -s"];
  words.push(...shownTo(operation));
  if (method !== "get" && !(method === "post" && body)) words.push(`-X ${method.toUpperCase()}`);
  const address = path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase());
  words.push(`http://127.0.0.1:8473${address}`);
  if (/\.(jpg|wav|mjpeg)$/.test(path)) words.push("-O");
  if (!body) return words.join(" ");
  const text = JSON.stringify(exampleOf(body), null, 2).replaceAll("'", "'\\''");
  return `${words.join(" ")} \\\n  -H 'Content-Type: application/json' -d '${text}'`;
}

/** What curl shows: a token where that counts, else a login, which it keeps where one begins. */
function shownTo({ security = [], responses = {} }: Operation): string[] {
  if (security.some(({ token }) => token !== undefined)) return ["-H @header.txt"];
  const [login] = security;
  const begins = Object.values(responses).some(({ headers }) => headers && "set-cookie" in headers);
  if (!login) return begins ? ["-c cookies.txt"] : [];
  return ["-b cookies.txt", ...(login.csrf === undefined ? [] : ["-H 'x-csrf-token: CSRF'"])];
}

const methodText = (method: string): string =>
  `<span class="method ${escaped(method)}">${escaped(method.toUpperCase())}</span>`;

const anchor = ({ method, path }: Entry): string =>
  `${method}${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/-$/, "")}`;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
