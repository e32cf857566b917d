import { type SealedPage, sealedPage, sendPage } from "../sealed-page.ts";
import type { Api } from "../server.ts";
import { HOME_SCRIPT } from "./script.ts";
import { HOME_STYLE } from "./style.ts";

/** The mark: a bird's eye. In the tab it is a file of its own, and its colours have to do on light and dark. */
const ICON =
  "data:image/svg+xml," +
  "<svg xmlns='http%3A//www.w3.org/2000/svg' viewBox='0 0 16 16'>" +
  "<circle cx='8' cy='8' r='6.5' fill='none' stroke='%233d8fbd' stroke-width='2.4'/><circle cx='8' cy='8' r='2.6' fill='%233d8fbd'/></svg>";
const MARK = `<svg class="mark" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="2.4"/><circle cx="8" cy="8" r="2.6" fill="currentColor"/></svg>`;

const BODY = `<header>
  <p class="brand">${MARK}<strong>Perch</strong> <span id="node"></span></p>
  <p id="line" role="status"></p>
  <div class="account"><span id="who"></span>
    <a id="enter" class="button primary" href="/login" hidden>Log in</a>
    <button id="leave" class="button" type="button" hidden>Log out</button></div>
</header>
<main>
  <section id="status" aria-labelledby="ready">
    <h1 id="ready" class="wait">Asking the box …</h1>
    <p id="stale" class="wrong" hidden></p>
    <p id="why"></p>
    <p id="next" class="dim"></p>
    <ul id="faults"></ul>
    <dl id="facts"></dl>
  </section>
  <section id="locked" aria-labelledby="locked-h" hidden>
    <h2 id="locked-h">Cameras and events are behind a login</h2>
    <p>Log in to see what the cameras see, and what happened.</p>
    <p><a class="button primary" href="/login">Log in</a></p>
    <p class="dim">No account yet? On the box <code>perch user add NAME --role admin</code> makes one.</p>
  </section>
  <div id="seen" hidden>
    <div>
      <section aria-labelledby="cameras-h">
        <h2 id="cameras-h">Cameras</h2>
        <div id="cameras"></div>
        <p id="cameras-none" class="empty" hidden></p>
      </section>
      <section aria-labelledby="microphones-h">
        <h2 id="microphones-h">Microphones</h2>
        <ul id="microphones" class="card"></ul>
        <p id="microphones-none" class="empty" hidden></p>
      </section>
    </div>
    <section aria-labelledby="events-h">
      <div class="head"><h2 id="events-h">Events</h2> <a href="/api/events/export?format=csv" download>All as CSV</a></div>
      <p id="events-told" class="wrong" role="alert"></p>
      <ol id="events" class="card"></ol>
      <p id="events-none" class="empty" hidden></p>
    </section>
  </div>
  <noscript>This page needs JavaScript; perch tail and perch events on the command line do without.</noscript>
</main>
<footer><a href="/docs">API</a> <a href="/metrics">Metrics</a> <span id="version"></span></footer>`;

const HOME_PAGE: SealedPage = sealedPage({
  title: "Perch",
  head: `<meta name="color-scheme" content="light dark">\n<link rel="icon" href="${ICON}">\n`,
  style: HOME_STYLE,
  script: HOME_SCRIPT,
  body: BODY,
  images: "'self' blob: data:",
});

/** The front page: how the box does, and for who is logged in what it sees. It holds nothing of the box itself; its script asks. */
export function homeRoute(app: Api): void {
  app.get("/", { config: { open: true } }, (_request, reply) => sendPage(reply, HOME_PAGE));
}
