interface Credentials {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** Whether the source is reached over the network. */
export const isNetworkSource = (source: string): boolean => /^(rtsps?|https?):\/\//.test(source);

/**
 * The address as it may be shown: without user, password and query, which cameras use for passwords too.
 * A source that is no URL is shown as it is.
 */
export function shownAddress(source: string): string {
  if (!isNetworkSource(source)) return source.replace(/^(v4l2|file|alsa|pulse):/, "");
  const url = parseUrl(source);
  return url ? `${url.protocol}//${url.host}${url.pathname}` : source.replace(/:\/\/.*/, "://…");
}

/** User and password of a feed: its own keys, or those inside its URL. */
export function credentialsOf(source: string, given: Credentials): { user: string; password: string } {
  const url = isNetworkSource(source) ? parseUrl(source) : null;
  return {
    user: given.user ?? decode(url?.username ?? ""),
    password: given.password ?? decode(url?.password ?? ""),
  };
}

/** The URL with the credentials inside it, for an ffmpeg child's standard input: never for argv, never to be shown. */
export function fullAddress(source: string, given: Credentials): string {
  const url = parseUrl(source);
  if (!url) return source;
  const { user, password } = credentialsOf(source, given);
  const login = user === "" ? "" : `${encode(user)}${password === "" ? "" : `:${encode(password)}`}@`;
  return `${url.protocol}//${login}${url.host}${url.pathname}${url.search}`.replaceAll("'", "%27");
}

/** The URL without credentials, for a client that sends them in a header. */
export function bareAddress(source: string): string {
  const url = parseUrl(source);
  return url ? `${url.protocol}//${url.host}${url.pathname}${url.search}` : source;
}

/** Takes passwords, users and queries out of a text of ffmpeg's. */
export function redact(text: string, source: string, given: Credentials): string {
  const { user, password } = credentialsOf(source, given);
  let clean = text
    .replace(/(\b[a-z0-9]+:\/\/)[^\s/@']*@/gi, "$1")
    .replace(/(\b[a-z0-9]+:\/\/[^\s?']*)\?[^\s']*/gi, "$1");
  // A one-letter user would blank out half the text and protects nothing.
  for (const secret of [password, user])
    for (const form of [secret, encode(secret)]) if (form.length >= 3) clean = clean.replaceAll(form, "…");
  return clean;
}

const encode = (text: string): string => encodeURIComponent(text).replaceAll("'", "%27");

/** A stray % in a URL is taken as it stands. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

const parseUrl = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null);
