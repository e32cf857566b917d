/** The newest events, each changed where it stands when the stream tells of it, and taken note of by who may. */
export const EVENTS = `
  const MOST_EVENTS = 20;
  /** By id: the event as it is known, and where it is shown; and in the order of the page, newest first. */
  const rows = new Map();
  let order = [];
  /** Changes that come while the list is asked for; null while it is not. */
  let held = null, again = false;

  async function loadEvents() {
    if (held) { again = true; return; }
    held = [];
    try {
      do {
        again = false;
        const { ok, said } = await get("/api/events?limit=" + MOST_EVENTS);
        if (!ok) { say(byId("events-told"), said.error); continue; }
        say(byId("events-told"), "");
        const listed = new Set(said.events.map(({ id }) => id));
        for (const id of [...rows.keys()]) if (!listed.has(id)) forget(id);
        for (const event of said.events) put(event);
        showOrder();
      } while (again);
    } finally {
      const changes = held;
      held = null;
      for (const event of changes) eventChanged(event);
    }
  }

  /** A message of the stream. An older one than what is known changes nothing. */
  function eventChanged(event) {
    if (held) { held.push(event); return; }
    const known = rows.get(event.id);
    if (known && known.event.sequence > event.sequence) return;
    const last = order.at(-1)?.event.started ?? "";
    if (!known && order.length === MOST_EVENTS && event.started < last) return;
    put(event);
    showOrder();
  }

  function forget(id) {
    rows.get(id).node.remove();
    rows.delete(id);
  }

  function put(event) {
    let row = rows.get(event.id);
    if (!row) {
      row = eventRow(event.id);
      rows.set(event.id, row);
    }
    row.event = { ...row.event, ...event };
    showEvent(row);
  }

  /** Newest first, and no more than there is room for; moves only what is not in its place. */
  function showOrder() {
    order = [...rows.values()].sort((a, b) => Date.parse(b.event.started) - Date.parse(a.event.started) || (b.event.id > a.event.id ? 1 : -1));
    for (const { event } of order.splice(MOST_EVENTS)) forget(event.id);
    for (const [i, { node }] of order.entries())
      if (byId("events").children[i] !== node) byId("events").insertBefore(node, byId("events").children[i] ?? null);
    byId("events").hidden = order.length === 0;
    sayOrHide(byId("events-none"), order.length === 0 ? "Nothing has happened yet. What the watches find appears here by itself." : "");
  }

  function eventRow(id) {
    const parts = { picture: el("div", { className: "picture" }), shape: el("span", { className: "shape" }), title: el("h3"),
      severity: el("span", { className: "severity" }), watch: el("span"), time: el("time"), state: el("span"),
      answer: el("p", { className: "dim answer" }), noted: el("p", { className: "dim noted", tabIndex: -1 }),
      button: el("button", { className: "button", type: "button", text: "Acknowledge", hidden: true }) };
    const { picture, shape, title, severity, watch, time, state, answer, noted, button } = parts;
    shape.ariaHidden = "true";
    picture.append(shape);
    button.addEventListener("click", () => acknowledge(rows.get(id)));
    const meta = el("p", { className: "meta" }, severity, watch, time, state);
    return { ...parts, tries: 0, node: el("li", {}, picture, el("div", { className: "what" }, title, meta, answer, noted), button) };
  }

  function showEvent(row) {
    const { event, node } = row;
    const open = event.ended === null;
    node.className = event.severity + (open ? " open" : "");
    say(row.title, event.title);
    say(row.severity, SEVERITIES[event.severity] ?? event.severity);
    say(row.watch, event.watch);
    row.time.dateTime = event.started;
    row.time.title = exact(event.started);
    say(row.state, open ? "Open" : "Over after " + length(Date.parse(event.ended) - Date.parse(event.started)));
    row.state.className = open ? "pill on" : "";
    // The last answer of one that is over tells why it ended, not what it was.
    sayOrHide(row.answer, open ? answerText(event.answer) : "");
    row.answer.title = row.answer.textContent;
    const { acknowledged } = event;
    sayOrHide(row.noted, acknowledged ? "Acknowledged by " + byWhom(acknowledged.by) + (acknowledged.note ? ": " + acknowledged.note : "") : "");
    row.button.hidden = Boolean(acknowledged) || !MAY_ACKNOWLEDGE.includes(who.role);
    row.button.setAttribute("aria-label", "Acknowledge: " + event.title);
    showEventPicture(row);
    showEventTime(row);
  }

  const byWhom = (by) => by === "account " + who.name ? "you" : by.startsWith("account ") ? by.slice(8) : by;

  /** The stream does not say whether there is a picture: a camera's watch has one as a rule, a large one a moment later. */
  function showEventPicture(row) {
    const { event } = row;
    const seen = [...shown.values()].some(({ feed }) => feed.kind === "camera" && feed.watches.includes(event.watch));
    if (row.image || row.tries > 1 || rows.get(event.id) !== row || !(event.picture ?? seen)) return;
    row.image = el("img", { loading: "lazy", alt: "", width: 88, height: 56 });
    row.image.onerror = () => {
      row.image.remove();
      row.image = undefined;
      row.tries += 1;
      setTimeout(() => showEventPicture(row), 3000);
    };
    row.image.src = "/api/events/" + encodeURIComponent(event.id) + "/picture.jpg";
    row.picture.append(row.image);
  }

  const showEventTime = ({ event, time }) => say(time, ago(Date.parse(event.started), boxNow()));

  async function acknowledge(row) {
    const { button, event } = row;
    const focused = document.activeElement === button;
    button.disabled = true;
    try {
      const { ok, status, said } = await ask("POST", "/api/events/" + encodeURIComponent(event.id) + "/acknowledge", {}, who.csrf);
      if (status === 401) return location.reload();
      say(byId("events-told"), ok ? "" : "“" + event.title + "” was not acknowledged: " + said.error);
      if (ok) {
        eventChanged(said);
        // The button is gone: who uses the keyboard goes on from here.
        if (focused) row.noted.focus();
      }
    } catch { say(byId("events-told"), "“" + event.title + "” was not acknowledged: the box does not answer."); }
    button.disabled = false;
  }
`;
