/** What keeps the page as the box is: one stream of changes, and now and then a question. */
export const LIVE = `
  const FRESH_EVERY = 10_000, AGAIN_AFTER = 3000;
  let stream, away = false;

  /** Read out when it changes; nothing else on the page is. */
  const tellLine = (text, bad) => { say(byId("line"), text); byId("line").className = bad ? "bad" : "good"; };

  function lost() {
    away = true;
    tellLine(NO_ANSWER, true);
    say(byId("ready"), "No answer");
    byId("ready").className = "bad";
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
      tellLine("The connection is lost. Trying again …", true);
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

  async function freshen() {
    const told = await get("/health/ready");
    if (told.said.status === undefined) throw new Error(told.said.error);
    showHealth(told.said);
    if (!who || governor?.ladder === undefined) showGovernor((await get("/api/governor")).said);
    if (who) {
      if (!byId("node").textContent) showNode((await get("/api/system")).said.node);
      await loadFeeds();
    }
    if (!away) return;
    away = false;
    tellLine("");
    // It may still seem open, to a box that was switched off.
    if (who) follow();
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
      await pause(away ? AGAIN_AFTER : FRESH_EVERY);
    }
  }
`;
