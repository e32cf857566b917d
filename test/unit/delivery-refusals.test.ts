import { describe, expect, it } from "vitest";
import { faultOf } from "../../service/delivery/broker-fault.ts";
import { ProtocolChoice } from "../../service/delivery/protocol-choice.ts";
import { Refusals } from "../../service/delivery/refusals.ts";
import type { OutboxRow } from "../../service/record/outbox-row.ts";

const row = (id: number, topic: string): OutboxRow => ({ id, topic, payload: "{}", at: 0 });
const NOT_AUTHORIZED = 0x87;
const TOO_LARGE = 0x95;

describe("what the broker refuses", () => {
  it("holds every message of a refused topic and none of another", () => {
    const refusals = new Refusals();
    expect(refusals.refused(row(1, "a"), NOT_AUTHORIZED, "not authorized")).toBe(true);
    expect(refusals.refused(row(2, "a"), NOT_AUTHORIZED, "not authorized")).toBe(false);
    expect(refusals.holds(row(3, "a"))).toBe(true);
    expect(refusals.holds(row(4, "b"))).toBe(false);
    expect(refusals.reason).toContain("the broker refuses a: not authorized");
  });

  it("sets a message that is too large aside alone", () => {
    const refusals = new Refusals();
    refusals.refused(row(1, "a"), TOO_LARGE, "packet too large");
    expect(refusals.holds(row(1, "a"))).toBe(true);
    expect(refusals.holds(row(2, "a"))).toBe(false);
  });

  it("stays in doubt after a retry until a message of the topic is taken", () => {
    const refusals = new Refusals();
    refusals.refused(row(1, "a"), NOT_AUTHORIZED, "not authorized");
    refusals.retry();
    expect(refusals.holds(row(1, "a"))).toBe(false);
    expect(refusals.reason).toContain("a");
    expect(refusals.refused(row(1, "a"), NOT_AUTHORIZED, "not authorized")).toBe(false);
    refusals.retry();
    refusals.accepted("a");
    expect(refusals.reason).toBeUndefined();
    expect(refusals.none).toBe(true);
  });

  it("is tried again after a while, but what breaks connections only when the broker was away", () => {
    const refusals = new Refusals();
    const all = [row(1, "a"), row(2, "b"), row(3, "c")] as const;
    refusals.setAside(all[0], "it breaks", true);
    refusals.refused(all[1], TOO_LARGE, "packet too large");
    refusals.refused(all[2], NOT_AUTHORIZED, "not authorized");
    refusals.retry();
    expect(all.map((one) => refusals.holds(one))).toEqual([true, false, false]);
    refusals.forget();
    expect(all.map((one) => refusals.holds(one))).toEqual([false, false, false]);
  });
});

describe("the version of MQTT", () => {
  it("is 3.1.1 at once with a broker that says it does not speak 5, and 5 again hours later", () => {
    const choice = new ProtocolChoice();
    expect(choice.choose(0)).toBe(5);
    expect(choice.failed(5, "protocol", 0)).toBe(true);
    expect(choice.choose(1000)).toBe(4);
    choice.connected();
    expect(choice.choose(24 * 3_600_000)).toBe(5);
  });

  it("is 3.1.1 after a broker cut two attempts without a word, and 5 again when that was not it", () => {
    const choice = new ProtocolChoice();
    expect(choice.failed(5, "closed", 0)).toBe(false);
    expect(choice.choose(0)).toBe(5);
    expect(choice.failed(5, "closed", 0)).toBe(false);
    expect(choice.choose(0)).toBe(4);
    choice.failed(4, "closed", 0);
    expect(choice.choose(0)).toBe(5);
  });

  it("stays 5 while the broker cannot be reached or refuses the user", () => {
    const choice = new ProtocolChoice();
    for (const kind of ["unreachable", "refused", "tls", "closed", "unreachable", "closed"] as const)
      choice.failed(5, kind, 0);
    expect(choice.choose(0)).toBe(5);
  });
});

describe("the words for a fault", () => {
  const broker = { at: "box:8883", user: "ward", clientId: "perch-n" };
  const withCode = (code: string | number, message = "") => Object.assign(new Error(message), { code });

  it.each([
    [withCode("ECONNREFUSED"), "unreachable", "nothing listens at box:8883"],
    [withCode("ENOTFOUND"), "unreachable", "cannot be looked up"],
    [withCode("DEPTH_ZERO_SELF_SIGNED_CERT"), "tls", "name its PEM file in mqtt.broker.ca"],
    [withCode("CERT_HAS_EXPIRED"), "tls", "has expired"],
    [withCode("ERR_TLS_CERT_ALTNAME_INVALID"), "tls", "made out to another name"],
    [withCode("ERR_SSL_WRONG_VERSION_NUMBER"), "tls", "does not speak TLS"],
    [withCode("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls", "refused the client certificate"],
    [
      withCode(0x86),
      "refused",
      "the broker at box:8883 refused user ward: check mqtt.broker.user and password",
    ],
    [withCode(5), "refused", "refused user ward"],
    [withCode(1), "protocol", "does not speak this version of MQTT"],
    [withCode(0x8e), "taken", "do two boxes have the same node name?"],
    [withCode(0x97), "refused", "quota exceeded"],
    [new Error("connack timeout"), "unreachable", "does not answer as an MQTT broker"],
    [new Error("Unexpected server response: 404"), "unreachable", "Unexpected server response: 404"],
  ])("%s is %s", (thrown, kind, text) => {
    const fault = faultOf(thrown, broker);
    expect(fault.kind).toBe(kind);
    expect(fault.message).toContain(text);
  });
});
