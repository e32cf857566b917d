import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { Agent, fetch } from "undici";
import { describe, expect, it } from "vitest";
import { addressBytes } from "../../service/api/access/hosts.ts";
import { askService } from "../../service/api/tls/client.ts";
import { serverTls } from "../../service/api/tls/tls.ts";
import type { Config, HttpConfig } from "../../service/contract/config.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { makeCertificates } from "../support/certificates.ts";

const DAY = 86_400_000;
const own = (over: Partial<HttpConfig> = {}): HttpConfig => ({
  ...{ host: "0.0.0.0", port: 0, names: ["box.clinic.example"], tls: "self-signed" as const },
  ...over,
});
const made = (data: string, over: Partial<HttpConfig> = {}, now = Date.now()) => {
  const tls = serverTls(own(over), data, now, silentLogger);
  if (!tls) throw new Error("there is no certificate");
  return tls;
};

describe("the certificate that the box makes for itself", () => {
  it("is one that openssl takes as it is, for every name and address of the box", async () => {
    const data = await accessFolder();
    made(data);
    const file = join(data, "tls/certificate.pem");
    const openssl = (...args: string[]) => execFileSync("openssl", args, { encoding: "utf8" });
    expect(openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", file, file)).toContain("OK");
    const text = openssl("x509", "-in", file, "-noout", "-text");
    for (const words of ["Version: 3", "CA:FALSE", "Digital Signature", "TLS Web Server Authentication"])
      expect(text).toContain(words);
    for (const host of [
      "DNS:localhost",
      "DNS:box.clinic.example",
      "IP Address:127.0.0.1",
      "IP Address:0:0:0:0:0:0:0:1",
    ])
      expect(text).toContain(host);
    expect(statSync(join(data, "tls/key.pem")).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, "tls")).mode & 0o777).toBe(0o700);
  });

  it("stays until its end is near, a name is missing or it is damaged; its key stays even then", async () => {
    const data = await accessFolder();
    const now = Date.now();
    const first = made(data, {}, now);
    expect(made(data, {}, now + 700 * DAY)).toEqual(first);
    const renewed = made(data, {}, now + 800 * DAY);
    const named = made(data, { names: ["box.clinic.example", "kiosk"] }, now + 800 * DAY);
    expect(new X509Certificate(named.cert).checkHost("kiosk")).toBe("kiosk");
    writeFileSync(join(data, "tls/certificate.pem"), "nonsense");
    const mended = made(data, {}, now);
    expect(new Set([first, renewed, named, mended].map(({ fingerprint }) => fingerprint)).size).toBe(4);
    expect(new Set([first, renewed, named, mended].map(({ key }) => key)).size).toBe(1);
  });

  it("is another one, with another key, where others could read the key", async () => {
    const data = await accessFolder();
    const first = made(data);
    chmodSync(join(data, "tls/key.pem"), 0o640);
    const second = made(data);
    expect(second.key).not.toBe(first.key);
    expect(statSync(join(data, "tls/key.pem")).mode & 0o777).toBe(0o600);
  });

  it("has addresses as they are", () => {
    const text = (address: string) => Buffer.from(addressBytes(address) ?? []).toString("hex");
    expect(text("192.168.1.7")).toBe("c0a80107");
    expect(text("::")).toBe("0".repeat(32));
    expect(text("2001:db8::a:1")).toBe("20010db80000000000000000000a0001");
    expect(text("1:2:3:4:5:6:7:8")).toBe("00010002000300040005000600070008");
    expect(text("::ffff:10.0.0.1")).toBe("00000000000000000000ffff0a000001");
    expect(text("fe80::1%eth0")).toBe("fe800000000000000000000000000001");
    expect(addressBytes("box")).toBeUndefined();
  });
});

describe("a service with TLS", () => {
  it("is trusted by whoever has its certificate, shows its fingerprint, and speaks nothing else", async () => {
    const served = await Served.start({ lan: true, http: { tls: "self-signed" } });
    expect(served.url).toMatch(/^https:/);
    const ca = readFileSync(join(served.data, "tls/certificate.pem"));
    const get = (path: string, headers = {}) =>
      fetch(`${served.url}${path}`, { headers, dispatcher: new Agent({ connect: { ca } }) });
    expect((await get("/health/live")).status).toBe(200);
    expect((await get("/api/governor")).status).toBe(401);
    const authorization = `Bearer ${served.token({ role: "viewer" })}`;
    expect((await get("/api/governor", { authorization })).status).toBe(200);
    expect(served.log.join("")).toContain(new X509Certificate(ca).fingerprint256);
    await expect(fetch(`${served.url}/health/live`)).rejects.toThrow();
    await expect(fetch(`${served.url.replace("https", "http")}/health/live`)).rejects.toThrow();
    await expect(handshake(served.url, "TLSv1.1")).rejects.toThrow();
  });

  it("answers the command line of its box, which takes its certificate and no other", async () => {
    const served = await Served.start({ lan: true, http: { tls: "self-signed" } });
    const http = own({ port: Number(new URL(served.url).port) });
    const headers = { authorization: `Bearer ${await served.adminToken()}` };
    const config = { http, data: served.data } as Config;
    expect((await askService(config, "/api/governor", { headers })).status).toBe(200);
    const elsewhere = await accessFolder();
    made(elsewhere);
    await expect(askService({ ...config, data: elsewhere }, "/api/governor", { headers })).rejects.toThrow();
  });

  it("shows the certificate that it is given, also to its own command line", async () => {
    const folder = await accessFolder();
    makeCertificates(folder);
    const tls = { certificate: join(folder, "server.pem"), key: join(folder, "server.key") };
    chmodSync(tls.key, 0o600);
    const served = await Served.start({ lan: true, http: { tls } });
    const port = new URL(served.url).port;
    const ca = readFileSync(join(folder, "ca.pem"));
    const asked = await fetch(`https://localhost:${port}/health/live`, {
      dispatcher: new Agent({ connect: { ca } }),
    });
    expect(asked.status).toBe(200);
    const config = { http: own({ tls, port: Number(port) }), data: served.data } as Config;
    expect((await askService(config, "/health/live", {})).status).toBe(200);
  });
});

describe("a certificate that cannot be used", () => {
  it.each([
    ["there is none", { certificate: "none.pem" }, /none\.pem: the certificate cannot be read/],
    ["it is nonsense", { certificate: "nonsense.pem" }, /nonsense\.pem: it is no PEM file of its kind/],
    ["its key is another's", { key: "client.key" }, /client\.key: it is not the key of .*server\.pem/],
    ["its key is everybody's", { key: "open.key" }, /open\.key: every user of this box may read it/],
  ])(
    "keeps the service from being asked at all, and degrades the part with the reason: %s",
    async (_why, over, reason) => {
      const folder = await accessFolder();
      makeCertificates(folder);
      writeFileSync(join(folder, "nonsense.pem"), "nonsense");
      for (const name of ["server.key", "client.key"]) chmodSync(join(folder, name), 0o600);
      copyFileSync(join(folder, "server.key"), join(folder, "open.key"));
      chmodSync(join(folder, "open.key"), 0o644);
      const { certificate, key } = { certificate: "server.pem", key: "server.key", ...over };
      const tls = { certificate: join(folder, certificate), key: join(folder, key) };
      const served = await Served.start({ lan: true, http: { tls } });
      expect(served.url).toBe("");
      expect(served.health()).toEqual({ state: "degraded", reason: expect.stringMatching(reason) });
      expect(served.log.join("")).not.toContain("PRIVATE");
    },
  );
});

function handshake(url: string, version: "TLSv1.1"): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: Number(new URL(url).port),
      rejectUnauthorized: false,
      maxVersion: version,
      minVersion: version,
    });
    socket.on("secureConnect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}
