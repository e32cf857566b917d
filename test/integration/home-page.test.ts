import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import type { EventPage } from "../../service/contract/api-events.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { PASSWORD } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { PageBrowser } from "../support/page-browser.ts";
import { CELL_FEEDS, SCENE_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

/** What a rule may be called, and no browser may take for more than words. */
const TITLE = `<img src=x onerror="alert(1)"> & <b>more</b>`;
const WATCH = { ...SCENE_WATCH, rules: [{ id: "always", title: TITLE, when: "true", severity: "alarm" }] };
const YARD = {
  id: "yard",
  kind: "camera",
  title: "The yard",
  source: "http://127.0.0.1:9/v",
  enabled: false,
};

let perch: ServedAppliance;
beforeAll(async () => {
  const http = { port: await freePort() };
  perch = new ServedAppliance({ feeds: [...CELL_FEEDS, YARD], watches: [WATCH], http });
  await perch.start();
  const accounts = new Accounts(perch.data, new Passwords(), () => undefined);
  const account = { password: PASSWORD, by: "a test" };
  await accounts.create({ ...account, name: "anna", role: "operator" }, Date.now());
  await accounts.create({ ...account, name: "vera", role: "viewer" }, Date.now());
});
afterAll(() => perch.dispose());

describe("the front page of a box", () => {
  it("tells whoever opens it on the box how it does, and where to log in", async () => {
    const browser = new PageBrowser(perch.url);
    await perch.ready();
    await until(async () => (await perch.ask("/health/ready")).status === 200);
    await browser.open("/");
    await until(() => browser.text("#ready") === "Ready");
    await until(() => browser.count("#facts > div") > 0);
    const { text } = (await perch.ask("/api/governor")).body as { text: string };
    expect(browser.text("#why")?.toLowerCase()).toContain(text.slice(0, 15).toLowerCase());
    expect(browser.text("#facts")).toMatch(/^Levelq8_0of perch-small/);
    expect(browser.text("#version")).toBe("Perch 0.0.0");
    expect(browser.text("#locked code")).toBe("perch user add NAME --role admin");
    expect(browser.attribute("#enter", "href")).toBe("/login");
    expect(browser.text("#cameras")).toBeUndefined();
    expect(browser.asked.filter((path) => /feeds|events|live/.test(path))).toEqual([]);
  });

  it("shows who is logged in the cameras, and what happens as it happens, as text", async () => {
    const browser = new PageBrowser(perch.url);
    await browser.login("anna");
    expect(browser.path).toBe("/");
    await until(() => browser.text("#line") === "Live");
    await until(() => browser.text("#node") === "cell");
    expect(browser.text("#who")).toBe("anna · operator");
    await until(() => browser.text(".camera h3") === "camera" && browser.text(".camera .pill") === "Live");
    await until(() => (browser.attribute(".camera img", "src") ?? "").startsWith("blob:"));
    expect(browser.text(".camera:nth-child(2)")).toBe("Switched offThe yardSwitched off");
    expect(browser.asked).not.toContain("/api/feeds/yard/snapshot.jpg");
    expect(browser.text("#microphones .name")).toBe("microphone");
    await until(() => browser.count("#events li") === 1);
    expect(browser.text("#events h3")).toBe(TITLE);
    expect(browser.count("#events h3 *")).toBe(0);
    expect(browser.text("#events .meta")).toMatch(/^Alarmscene.*Open$/);
    expect(browser.text("#events .noted")).toBeUndefined();
    browser.focus("#events button");
    browser.click("#events button");
    await until(() => browser.text("#events .noted") === "Acknowledged by you");
    await until(() => browser.focused === browser.find("#events .noted"));
    expect(browser.count("#events button")).toBe(0);
    const rowBefore = browser.find("#events li");

    const [event] = ((await perch.ask("/api/events")).body as EventPage).events;
    expect(event?.acknowledged?.by).toBe("account anna");
    await perch.ask(`/api/events/${event?.id}/acknowledge`, { method: "DELETE" });
    await until(() => browser.count("#events button") === 1);
    const later = { ...WATCH, id: "later", rules: [{ id: "always", title: "Later", when: "true" }] };
    expect((await perch.ask("/api/watches", { body: later })).status).toBe(201);
    await until(() => browser.text("#events li:first-child h3") === "Later");
    await perch.ask("/api/watches/later", { method: "DELETE" });
    await until(() => /^Infolater.*Over after /.test(browser.text("#events li:first-child .meta") ?? ""));
    // The one that was there is the same still: nothing jumps, and the keyboard stays where it was.
    expect(browser.find("#events li:last-child")).toBe(rowBefore);

    await perch.ask("/api/feeds/camera", { method: "PATCH", body: { enabled: false } });
    await until(() => browser.text(".camera .pill") === "Switched off");
    expect(browser.text(".camera img")).toBeUndefined();
    await perch.ask("/api/feeds/camera", { method: "PATCH", body: { enabled: true } });
    await until(() => browser.text(".camera .pill") === "Live");

    browser.click("#leave");
    await until(() => browser.text("#locked h2") !== undefined);
    expect(browser.text("#events")).toBeUndefined();
  });

  it("shows a viewer no button, says when the box is gone, and goes on when it is back", async () => {
    const browser = new PageBrowser(perch.url);
    await browser.login("vera");
    await until(() => browser.count("#events li") > 0 && browser.text("#line") === "Live");
    expect(browser.count("#events button")).toBe(0);
    await perch.stop();
    await until(() => /does not answer/.test(browser.text("#line") ?? ""));
    expect(browser.text("#ready")).toBe("No answer");
    expect(browser.text("#stale")).toMatch(/^How it was when the box answered last/);
    await perch.start();
    await until(() => browser.text("#line") === "Live");
    await until(() => browser.text("#ready") !== "No answer");
    expect(browser.text("#stale")).toBeUndefined();
    expect(browser.count("#events li")).toBeGreaterThan(0);
  });
});
