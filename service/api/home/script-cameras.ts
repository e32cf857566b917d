/** Each camera with its newest picture, each microphone with its state. */
export const CAMERAS = `
  /** By id: what is known of a feed, and where it is shown. */
  const shown = new Map();
  const PICTURES_EVERY = 2000;

  async function loadFeeds() {
    const { ok, said } = await get("/api/feeds");
    const feeds = ok ? said.feeds : [];
    for (const id of [...shown.keys()]) if (!feeds.some((feed) => feed.id === id)) {
      shown.get(id).node.remove();
      shown.delete(id);
    }
    for (const feed of feeds) showFeed(feed);
    for (const [kind, where] of [["camera", "cameras"], ["microphone", "microphones"]]) {
      const some = feeds.some((feed) => feed.kind === kind);
      const why = ok ? "This box has no " + kind + " yet: add one under feeds in its configuration file." : said.error;
      byId(where).hidden = !some;
      sayOrHide(byId(where + "-none"), some ? "" : why);
    }
  }

  /** A message of the stream: its state is another one now. */
  function feedChanged({ feed, state, since, reason }) {
    const known = shown.get(feed);
    if (known) showFeed({ ...known.feed, state, since, reason });
    else loadFeeds().catch(lost);
  }

  function showFeed(feed) {
    let one = shown.get(feed.id);
    if (!one) {
      one = feed.kind === "camera" ? cameraCard() : microphoneRow();
      byId(feed.kind === "camera" ? "cameras" : "microphones").append(one.node);
      shown.set(feed.id, one);
    }
    one.feed = feed;
    const live = feed.state === "live";
    say(one.title, feed.title ?? feed.id);
    say(one.state, STATES[feed.state] ?? feed.state);
    one.state.className = "pill " + feed.state;
    sayOrHide(one.reason, live ? "" : capital(feed.reason ?? ""));
    if (feed.kind === "camera") showCamera(one);
  }

  function microphoneRow() {
    const title = el("span", { className: "name" }), state = el("span"), reason = el("p", { className: "dim" });
    return { node: el("li", {}, title, state, reason), title, state, reason };
  }

  function cameraCard() {
    const title = el("h3"), state = el("span"), reason = el("p"), time = el("time");
    const image = el("img", { hidden: true }), instead = el("div", { className: "instead" }, reason);
    const frame = el("div", { className: "frame" }, image, instead);
    const node = el("article", { className: "camera card" }, frame, el("div", { className: "under" }, title, time, state));
    return { node, title, state, reason, time, image, instead };
  }

  function showCamera(one) {
    const { feed, image, instead, reason } = one;
    image.alt = "Newest picture of " + (feed.title ?? feed.id);
    // One that is away has no picture of now; one that stalled keeps its last, and says so.
    if (feed.state !== "live" && feed.state !== "stalled") { image.hidden = true; one.tag = undefined; sayOrHide(one.time, ""); }
    instead.hidden = feed.state === "live" && !image.hidden;
    if (feed.state === "live" || !feed.reason) sayOrHide(reason, feed.state === "live" ? "Waiting for a picture …" : STATES[feed.state]);
  }

  /** A picture after the other, and nothing while nobody looks: a camera costs one short request every two seconds. */
  async function look() {
    for (;;) {
      await whenVisible();
      for (const one of [...shown.values()]) {
        if (!visible() || one.feed.kind !== "camera" || one.feed.state !== "live") continue;
        // Whether the box answers is said by what asks for its health.
        try { await showPicture(one); } catch { one.tag = undefined; }
      }
      await pause(PICTURES_EVERY);
    }
  }

  async function showPicture(one) {
    const headers = one.tag ? { "if-none-match": one.tag } : {};
    const answer = await fetch("/api/feeds/" + encodeURIComponent(one.feed.id) + "/snapshot.jpg", { headers, signal: AbortSignal.timeout(8000) });
    if (answer.status !== 200) return;
    const url = URL.createObjectURL(await answer.blob());
    one.tag = answer.headers.get("etag");
    const captured = Date.parse(answer.headers.get("x-captured"));
    one.image.onload = one.image.onerror = () => URL.revokeObjectURL(url);
    one.image.src = url;
    one.image.hidden = false;
    one.time.dateTime = new Date(captured).toISOString();
    one.time.title = exact(captured);
    sayOrHide(one.time, new Date(captured).toLocaleTimeString());
    showCamera(one);
  }
`;
