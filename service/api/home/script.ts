import { RIGHTS } from "../access/rights.ts";
import { ASKING } from "../sealed-page.ts";
import { CAMERAS } from "./script-cameras.ts";
import { EVENTS } from "./script-events.ts";
import { LIVE } from "./script-live.ts";
import { STATUS } from "./script-status.ts";
import { WORDS } from "./script-words.ts";

/** Small things that all of it uses. Whatever the box says becomes text, never HTML. */
const ELEMENTS = `
  const el = (tag, { text, ...rest } = {}, ...children) => {
    const one = Object.assign(document.createElement(tag), rest);
    if (text !== undefined) one.textContent = text;
    one.append(...children);
    return one;
  };
  /** Leaves alone what is right already: a reader's selection stays, and nothing is read out again. */
  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const sayOrHide = (node, text) => { say(node, text); node.hidden = text === ""; };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const visible = () => document.visibilityState === "visible";
  const whenVisible = () => new Promise((resolve) => {
    if (visible()) return resolve();
    document.addEventListener("visibilitychange", function once() {
      if (!visible()) return;
      document.removeEventListener("visibilitychange", once);
      resolve();
    });
  });
`;

const BEGIN = `
  let who;
  const MAY_ACKNOWLEDGE = ${JSON.stringify(RIGHTS["events.acknowledge"].roles)};
  /** Ms by which the box's clock is ahead of this browser's: the date of an answer knows it to the second. */
  let ahead = 0;
  const boxNow = () => Date.now() + ahead;
  /** GET. A login that is over begins the page anew: it then shows what is open, or where to log in. */
  async function get(path) {
    const answer = await ask("GET", path);
    answered = Date.now();
    if (answer.status === 401 && who) location.reload();
    const by = Date.parse(answer.date ?? "") - Date.now();
    if (Number.isFinite(by)) ahead = Math.abs(by) < 2000 ? 0 : by;
    return answer;
  }
`;

const START = `
  byId("leave").addEventListener("click", async () => {
    byId("leave").disabled = true;
    try {
      const { ok, status, said } = await ask("DELETE", "/api/session", undefined, who.csrf);
      if (ok || status === 401) return location.replace("/");
      say(byId("line"), said.error);
    } catch { say(byId("line"), NO_ANSWER); }
    byId("leave").disabled = false;
  });

  /** Who looks; until the box says so. */
  async function enter() {
    for (;;) {
      try {
        const { ok, said } = await get("/api/session");
        if (ok) return said;
        // On the LAN nothing is open: the way in is the login. In its own words otherwise.
        const { status } = await get("/api/governor");
        if (status === 401) { location.replace("/login"); return undefined; }
        return null;
      } catch { lost(); }
      await pause(3000);
    }
  }

  enter().then((entered) => {
    if (entered === undefined) return;
    who = entered ?? undefined;
    byId("enter").hidden = byId("leave").hidden = true;
    byId(who ? "leave" : "enter").hidden = false;
    byId(who ? "seen" : "locked").hidden = false;
    if (who) {
      say(byId("who"), who.name + " · " + who.role);
      look();
      follow();
    }
    keepFresh();
  });
`;

/** All of the page's script, in one scope of its own. */
export const HOME_SCRIPT = `"use strict";
{${ASKING}${ELEMENTS}${BEGIN}${WORDS}${STATUS}${CAMERAS}${EVENTS}${LIVE}${START}}
`;
