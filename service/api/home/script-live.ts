/** What keeps the page as the box is: one stream of changes, and now and then a question. */
export const LIVE = `
  const FRESH_EVERY = 10_000, AGAIN_AFTER = 3000;
  /** Whether the box does not answer, and when it did last, epoch ms. */
  let stream, away = false, answered;
  /** Asks how the box does now instead of when its turn comes. */
  let askNow = () => undefined;

  /** Read out when it changes; nothing else on the page is. */
  const tellLine = (text, bad) => { say(byId("line"), text); byId("line").className = bad ? "bad" : "good"; };

  function lost() {
    away = true;
    tellLine(NO_ANSWER, true);
    say(byId("ready"), "No answer");
    byId("ready").className = "bad";
    document.body.classList.add("stale");
    sayOrHide(byId("stale"), answered ? "How it was when the box answered last, at " + new Date(answered).toLocaleTimeString() + ":" : "");
  }

  function back() {
    away = false;
    tellLine("");
    document.body.classList.remove("stale");
    byId("stale").hidden = true;
    // It may still seem open, to a box that was switched off.
    if (who) follow();
  }

  /** The browser connects again by itself, and the box tells what was missed; whatever it was, the lists are asked for anew. */
  function follow() {
    stream?.close();
    const mine = stream = new EventSource("/api/live");
    const on = (kind, act) => mine.addEventListener(kind, ({ data }) => act(JSON.parse(data)));
    const reload = () => {
      if (!away) tellLine("Live");
      loadFeeds().then(loadEvents).catch(lost);
    };
    on("hello", reload);
    on("gap", reload);
    on("event", ({ event }) => eventChanged(event));
    on("feed", feedChanged);
    on("governor", showGovernor);
    mine.onerror = () => {
      if (mine !== stream) return;
      if (!away) tellLine("The connection is lost. Trying again …", true);
      askNow();
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === stream && refused(), AGAIN_AFTER);
    };
  }

  /** The box answered that it does not stream: the login may be over, or too many follow. */
  async function refused() {
    try {
      if ((await get("/api/session")).ok) follow();
    } catch { setTimeout(refused, AGAIN_AFTER); }
  }

  /** A browser has six connections to a box, for all of its tabs: one that nobody sees gives its own back. */
  document.addEventListener("visibilitychange", () => {
    if (!who) return;
    if (visible()) follow();
    else { stream?.close(); stream = undefined; }
  });

  /** Another tab may have logged in as somebody else, or anew: this page is the browser's login's. */
  async function sameLogin() {
    const { ok, said } = await get("/api/session");
    if (!ok) return;
    if (said.name !== who.name || said.role !== who.role) return location.reload();
    who = said;
  }

  async function freshen() {
    const told = await get("/health/ready");
    if (told.said.status === undefined) throw new Error(told.said.error);
    showHealth(told.said);
    const { ok, said } = await get("/api/governor");
    if (ok) showGovernor(said);
    if (who) {
      await sameLogin();
      if (!byId("node").textContent) showNode((await get("/api/system")).said.node);
      await loadFeeds();
    }
    if (away) back();
  }

  function showNode(node) {
    if (node === undefined) return;
    say(byId("node"), node);
    document.title = node + " – Perch";
  }

  async function keepFresh() {
    setInterval(() => { for (const row of order) showEventTime(row); }, 1000);
    for (;;) {
      await whenVisible();
      try { await freshen(); } catch { lost(); }
      await Promise.race([pause(away ? AGAIN_AFTER : FRESH_EVERY), new Promise((resolve) => { askNow = resolve; })]);
    }
  }
`;
