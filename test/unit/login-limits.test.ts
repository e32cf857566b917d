import { describe, expect, it } from "vitest";
import { LoginLimits } from "../../service/api/access/login-limits.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import { isPerchError } from "../../service/kernel/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";

const MINUTE = 60_000;

/** Wrong guesses of a name, each from an address of its own. */
function strangers(limits: LoginLimits, name: string, count: number): void {
  for (let n = 0; n < count; n += 1) {
    const from = `10.0.${n >> 8}.${n & 255}`;
    if (limits.wait(name, from) === 0) limits.begin(name, from).end(false);
  }
}

describe("wrong passwords from many addresses", () => {
  it("make strangers wait for the name they guess, a minute at most, and nobody for another", () => {
    const clock = new FakeClock();
    const limits = new LoginLimits(clock);
    strangers(limits, "anna", 49);
    expect(limits.wait("anna", "192.168.1.9")).toBe(0);
    strangers(limits, "anna", 1000);
    expect(limits.wait("anna", "192.168.1.9")).toBe(MINUTE);
    expect(limits.wait("ben", "192.168.1.9")).toBe(0);
    clock.advance(MINUTE);
    expect(limits.wait("anna", "192.168.1.9")).toBe(0);
    strangers(limits, "anna", 1000);
    expect(limits.wait("anna", "192.168.1.9")).toBe(MINUTE);
  });

  it("never keep out who logged in from there before, unless wrong passwords come from there", () => {
    const limits = new LoginLimits(new FakeClock());
    limits.remember("anna", "192.168.1.7");
    strangers(limits, "anna", 1000);
    expect(limits.wait("anna", "192.168.1.7")).toBe(0);
    for (let n = 0; n < 10; n += 1) limits.begin("anna", "192.168.1.7").end(false);
    expect(limits.wait("anna", "192.168.1.7")).toBe(MINUTE);
  });

  it("count by what one other end can choose: half an IPv6 address is one", () => {
    const limits = new LoginLimits(new FakeClock());
    for (let n = 0; n < 10; n += 1) limits.begin("anna", `2001:db8::${n}`).end(false);
    expect(limits.wait("anna", "2001:db8::ffff")).toBe(MINUTE);
    expect(limits.wait("anna", "2001:db8:0:1::1")).toBe(0);
  });
});

describe("hashing", () => {
  it("is argon2id at OWASP's cost, of the characters and not of how they were typed", async () => {
    const passwords = new Passwords();
    const hash = await passwords.hash("Grüße an die Küche");
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await passwords.verify(hash, "Gru\u0308ße an die Ku\u0308che")).toBe(true);
    expect(await passwords.verify(hash, "Grüße an die Kuche")).toBe(false);
    expect(await passwords.verify(undefined, "anything")).toBe(false);
  });

  it("goes two at a time, keeps sixteen waiting, and says so to the next", async () => {
    const passwords = new Passwords();
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => passwords.verify(undefined, "x")));
    const refused = all.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    expect(refused).toHaveLength(2);
    for (const reason of refused) expect(isPerchError(reason, "QUEUE_FULL")).toBe(true);
    expect(await passwords.verify(undefined, "x")).toBe(false);
  });
});
