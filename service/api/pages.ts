import { PASSWORD } from "../contract/accounts.ts";
import { ASKING, type SealedPage, sealedPage, sendPage } from "./sealed-page.ts";
import type { Api } from "./server.ts";

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8886; --accent: #2a6f97 }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem }
  main { width: min(100%, 24rem) }
  h1 { font-size: 1.4rem; margin: 0 0 .25rem }
  p { margin: 0 0 1.25rem }
  label { display: block; margin: 0 0 1rem; font-weight: 500 }
  input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit;
    border: 1px solid var(--line); border-radius: 8px; background: transparent; color: inherit }
  small { display: block; font-weight: 400; opacity: .75 }
  button { width: 100%; padding: .65rem 1rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px;
    background: var(--accent); color: #fff; cursor: pointer }
  button:disabled { opacity: .6; cursor: progress }
  input:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  #told { min-height: 1.5rem; margin: 1rem 0 0 }
  #told.wrong { color: light-dark(#b3261e, #ff8a80) }
  [hidden] { display: none !important }
`;

/** Shared by both pages: puts a form to an address as JSON, and says what came of it. */
const COMMON = `${ASKING}
  const tell = (text, wrong = false) => {
    byId("told").textContent = text;
    byId("told").className = wrong ? "wrong" : "";
  };
  function onSend(act) {
    byId("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      byId("send").disabled = true;
      tell("");
      try { await act(); }
      catch { tell("The box does not answer. Is it on?", true); }
      byId("send").disabled = false;
    });
  }
  /** Never done: nothing is sent twice while the next page comes. */
  const leave = (to) => new Promise(() => location.replace(to));
  let csrf;
  function show(who) {
    csrf = who.csrf;
    byId("form").hidden = true;
    byId("in").hidden = false;
    byId("who").textContent = who.name + " (" + who.role + ")";
    byId("out").focus();
  }
  byId("out").addEventListener("click", async () => {
    const { ok, said } = await ask("DELETE", "/api/session", undefined, csrf);
    if (ok) location.replace("/login");
    else tell(said.error, true);
  });
`;

const LOGIN = `${COMMON}
  onSend(async () => {
    const { ok, said } = await ask("POST", "/api/session", { name: byId("name").value.trim(), password: byId("password").value });
    if (ok) return leave("/");
    tell(said.error, true);
    byId("password").select();
  });
  ask("GET", "/api/session").then(({ ok, said }) => { if (ok && said.csrf) show(said); }, () => tell("The box does not answer.", true));
`;

const SETUP = `${COMMON}
  // Not in the history, nor on the screen for the next who looks.
  const token = location.hash.slice(1);
  history.replaceState(null, "", "/setup");
  if (!token) tell("This page takes the link that the service printed at its start.", true);
  onSend(async () => {
    if (byId("password").value !== byId("again").value) return tell("The two passwords differ.", true);
    const { ok, said } = await ask("POST", "/api/setup", { token, name: byId("name").value.trim(), password: byId("password").value });
    if (ok) show(said);
    else tell(said.error, true);
  });
`;

const { shortest, longest } = PASSWORD;
const NAME = `<label>Name <input id="name" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="63" autofocus></label>`;

const LOGIN_PAGE = page({
  title: "Log in",
  lead: "Cameras and microphones of this box.",
  fields: `${NAME}
    <label>Password <input id="password" type="password" autocomplete="current-password" required maxlength="${longest}"></label>`,
  send: "Log in",
  script: LOGIN,
});

const SETUP_PAGE = page({
  title: "First run",
  lead: "This box has no administrator yet: make the account.",
  fields: `${NAME.replace("autofocus", 'autofocus pattern="[a-z0-9][a-z0-9_\\-]*" title="lower case letters, digits, - and _"')}
    <label>Password <small>At least ${shortest} characters.</small>
      <input id="password" type="password" autocomplete="new-password" required minlength="${shortest}" maxlength="${longest}"></label>
    <label>Once more <input id="again" type="password" autocomplete="new-password" required minlength="${shortest}" maxlength="${longest}"></label>`,
  send: "Make the account",
  script: SETUP,
});

/** Logging in and the first run, each one page that needs nothing from elsewhere. */
export function pageRoutes(app: Api): void {
  app.get("/login", { config: { open: true } }, (_request, reply) => sendPage(reply, LOGIN_PAGE));
  app.get("/setup", { config: { open: true } }, (_request, reply) => sendPage(reply, SETUP_PAGE));
}

function page(of: { title: string; lead: string; fields: string; send: string; script: string }): SealedPage {
  const body = `<main>
  <h1>Perch</h1>
  <form id="form" method="post" autocomplete="on">
    <p>${of.lead}</p>
    ${of.fields}
    <button id="send">${of.send}</button>
  </form>
  <section id="in" hidden>
    <p>Logged in as <strong id="who"></strong>. <a href="/">What this box sees</a></p>
    <button id="out" type="button">Log out</button>
  </section>
  <p id="told" role="alert"></p>
  <noscript>This page needs JavaScript; perch user on the command line does without.</noscript>
</main>`;
  return sealedPage({ title: `${of.title} – Perch`, style: STYLE, script: of.script, body });
}
