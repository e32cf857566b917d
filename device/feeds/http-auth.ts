import { createHash, randomBytes } from "node:crypto";

interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * The Authorization header that answers a server's challenge, or undefined where it asks for something else.
 * Digest as RFC 7616 with MD5 (what cameras ask for), Basic as RFC 7617.
 *
 * @param challenge the WWW-Authenticate header of the 401
 * @param path path and query of the request
 */
export function answerChallenge(
  challenge: string,
  login: Login,
  method: string,
  path: string,
  nonceOfClient: string = randomBytes(8).toString("hex"),
): string | undefined {
  if (/^\s*digest\b|,\s*digest\b/i.test(challenge))
    return digest(challenge, login, method, path, nonceOfClient);
  if (/\bbasic\b/i.test(challenge))
    return `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
  return undefined;
}

function digest(
  challenge: string,
  { user, password }: Login,
  method: string,
  path: string,
  cnonce: string,
): string | undefined {
  const field = (name: string): string | undefined => {
    const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,]+))`, "i").exec(challenge);
    return match?.[1] ?? match?.[2];
  };
  const realm = field("realm") ?? "";
  const nonce = field("nonce");
  const opaque = field("opaque");
  if (nonce === undefined || (field("algorithm") ?? "MD5").toUpperCase() !== "MD5") return undefined;
  const secret = md5(`${user}:${realm}:${password}`);
  const request = md5(`${method}:${path}`);
  const withQop = (field("qop") ?? "").split(/\s*,\s*/).includes("auth");
  const response = withQop
    ? md5(`${secret}:${nonce}:00000001:${cnonce}:auth:${request}`)
    : md5(`${secret}:${nonce}:${request}`);
  const parts = [
    `username="${user.replace(/["\\]/g, "\\$&")}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${path}"`,
    `response="${response}"`,
    ...(withQop ? ["qop=auth", "nc=00000001", `cnonce="${cnonce}"`] : []),
    ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
  ];
  return `Digest ${parts.join(", ")}`;
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
