import { PerchError } from "../kernel/errors.ts";
import type { LadderFile } from "./model-files.ts";

/** Where files are fetched from instead of where models.yaml says. */
export interface Mirror {
  /** A folder; files lie in it under the names that models.yaml gives them. */
  readonly url: URL;
  /** Sent to the mirror itself, and nowhere that it redirects to. */
  readonly token?: string;
}

/** Throws CONFIG_INVALID; no message holds a token, or a user or password of the URL. */
export function mirrorOf(text: string, token?: string): Mirror {
  if (!URL.canParse(text)) throw invalid("the mirror is no URL of the form https://HOST/FOLDER");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw invalid(
      `a mirror is https:// or http://, not ${url.protocol}//; files in a folder are for import DIR`,
    );
  refuseCredentials(url, "the mirror's URL", "give a token as environment variable PERCH_MIRROR_TOKEN");
  if (url.search !== "" || url.hash !== "")
    throw invalid(
      "the mirror's URL is that of a folder, without ? and #; a token goes into PERCH_MIRROR_TOKEN",
    );
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const bearer = token?.trim();
  if (!bearer) return { url };
  if (!/^[\x21-\x7e]+$/.test(bearer)) throw invalid("PERCH_MIRROR_TOKEN holds what no token holds");
  return { url, token: bearer };
}

/** Throws MODEL_MISSING where nobody says where a file comes from, CONFIG_INVALID where its URL is not to be used. */
export function sourceOf(file: LadderFile, mirror?: Mirror): URL {
  if (mirror) return new URL(encodeURIComponent(file.file), mirror.url);
  if (file.url === undefined)
    throw new PerchError(
      "MODEL_MISSING",
      `models.yaml does not say where ${file.file} comes from: name a mirror, or import it from a folder`,
    );
  const url = URL.canParse(file.url) ? new URL(file.url) : undefined;
  if (url?.protocol !== "https:")
    throw invalid(`the url of ${file.file} in models.yaml must begin with https:// (http is for a mirror)`);
  refuseCredentials(url, `the url of ${file.file} in models.yaml`, "use a mirror with PERCH_MIRROR_TOKEN");
  return url;
}

/** Where a redirect leads. Throws MODEL_UNREACHABLE where it leads away from https, or with a password. */
export function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  const leads = `${shownUrl(from)} redirects to ${to ? shownUrl(to) : "what is no URL"}`;
  if (!to || (to.protocol !== "https:" && to.protocol !== "http:"))
    throw new PerchError("MODEL_UNREACHABLE", `${leads}, which is not followed`);
  if (from.protocol === "https:" && to.protocol === "http:")
    throw new PerchError("MODEL_UNREACHABLE", `${leads}, from https to http, which is not followed`);
  if (to.username !== "" || to.password !== "")
    throw new PerchError("MODEL_UNREACHABLE", `${leads} with a user or password, which is not followed`);
  return to;
}

/** Without what may be a secret: a signed URL's query opens the file to whoever reads it. */
export const shownUrl = (url: URL): string => `${url.origin}${url.pathname}`;

function refuseCredentials({ username, password }: URL, what: string, remedy: string): void {
  if (username !== "" || password !== "")
    throw invalid(`${what} holds a user or password, which would show in logs and process lists: ${remedy}`);
}

const invalid = (message: string): PerchError => new PerchError("CONFIG_INVALID", message);
