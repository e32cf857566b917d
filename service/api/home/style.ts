/** The page's looks, light and dark by what the reader's system prefers. */
export const HOME_STYLE = `
:root { color-scheme: light dark; --text: #17191c; --dim: #626a75; --line: #e4e7eb; --back: #f7f8f9; --card: #fff; --soft: #eef0f3;
  --accent: #25658b; --on-accent: #fff; --good: #1a7f4b; --warning: #8f5b00; --alarm: #b3261e; --off: #626a75;
  --shade: 0 1px 2px #0000000a }
@media (prefers-color-scheme: dark) {
  :root { --text: #e7e9ec; --dim: #98a1ac; --line: #282d34; --back: #0f1113; --card: #16191d; --soft: #20252b;
    --accent: #7cc0e8; --on-accent: #0b1a24; --good: #5fcf94; --warning: #f0b35b; --alarm: #ff8a80; --off: #98a1ac; --shade: none } }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0 auto; max-width: 84rem; padding: 0 1.5rem; min-height: 100vh; display: flex; flex-direction: column;
  font: 14px/1.5 Inter, system-ui, -apple-system, sans-serif; color: var(--text); background: var(--back);
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased }
main { flex: 1 }
a { color: var(--accent); text-underline-offset: 3px }
h1, h2, h3, p, ul, ol, dl, dd { margin: 0; padding: 0 }
ul, ol { list-style: none }
h1 { font-size: 1.5rem; line-height: 1.3; letter-spacing: -.015em; font-weight: 600 }
h2 { font-size: .8125rem; font-weight: 600; color: var(--dim); margin: 0 0 .6rem }
h3 { font-size: .875rem; font-weight: 550; overflow-wrap: anywhere }
code { font: .92em ui-monospace, monospace; background: var(--soft); padding: .1em .35em; border-radius: 4px }
.dim { color: var(--dim) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shade) }
.button { display: inline-block; font: inherit; font-weight: 500; line-height: 1.25rem; padding: .3rem .75rem; border-radius: 7px; cursor: pointer;
  color: var(--text); background: var(--card); border: 1px solid var(--line); text-decoration: none; white-space: nowrap }
.button:hover { background: var(--soft) }
.button:disabled { opacity: .55; cursor: progress }
.primary, .primary:hover { color: var(--on-accent); background: var(--accent); border-color: transparent }
.primary:hover { filter: brightness(1.08) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.good { color: var(--good) } .bad, .wrong { color: var(--alarm) }

header { display: flex; align-items: center; gap: 1rem; padding: 1rem 0 }
.brand { display: flex; align-items: center; gap: .5rem; font-size: .9375rem; min-width: 0 }
.brand strong { font-weight: 600 }
.mark { width: 18px; height: 18px; flex: none; color: var(--accent) }
#node { color: var(--dim); overflow-wrap: anywhere }
#node:not(:empty)::before { content: "/"; margin-right: .5rem; color: var(--line) }
#line { margin-left: auto; font-size: .8125rem }
#line.good { color: var(--dim) }
#line:not(:empty)::before { content: ""; display: inline-block; width: 7px; height: 7px; border-radius: 50%; margin-right: .45rem;
  background: var(--good); vertical-align: .06em }
#line.bad::before { background: none; border: 2px solid var(--alarm) }
.account { display: flex; align-items: center; gap: .75rem }
#who { color: var(--dim); font-size: .8125rem; white-space: nowrap }

#status { padding: 1.5rem 0 1.75rem; border-top: 1px solid var(--line) }
#ready { display: flex; align-items: center; gap: .6rem; color: var(--text) }
#ready::before { content: ""; width: 11px; height: 11px; border-radius: 50%; background: var(--good); flex: none }
#ready.bad::before { background: none; border: 3px solid var(--alarm); border-radius: 3px }
#ready.wait::before { background: none; border: 2px solid var(--dim) }
#why { max-width: 62rem; margin-top: .35rem }
#next { max-width: 62rem }
#faults { margin-top: .75rem; max-width: 62rem }
#faults { padding: .6rem .9rem; border-left: 3px solid var(--warning); border-radius: 4px; background: var(--soft); overflow-wrap: anywhere }
#faults.bad { border-color: var(--alarm); color: inherit }
#faults strong { font-weight: 550; margin-right: .35rem }
#faults li + li { margin-top: .25rem }
#faults:empty, #facts:empty { display: none }
#facts { display: flex; flex-wrap: wrap; gap: .9rem 2.75rem; margin-top: 1.1rem }
#facts dt { font-size: .75rem; color: var(--dim) }
#facts dd { max-width: 16rem; overflow-wrap: anywhere }
#facts dt + dd { font-weight: 550 }
#facts dd + dd { font-size: .75rem }
#facts .note { color: var(--warning) }
.stale :is(#why, #next, #faults, #facts, #seen) { opacity: .6 }

#locked { max-width: 34rem; padding: 1.5rem; border: 1px solid var(--line); border-radius: 10px; background: var(--card) }
#locked h2 { font-size: 1rem; color: var(--text); margin: 0 0 .25rem }
#locked p + p { margin-top: 1rem }
#seen { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 35rem); gap: 2rem; align-items: start }
#seen section + section { margin-top: 1.75rem }
.empty { padding: 1.25rem; border: 1px dashed var(--line); border-radius: 10px; color: var(--dim) }
#cameras { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17.5rem), 1fr)); gap: 1rem }
.camera { overflow: hidden }
.camera:only-child { grid-column: 1 / -1 }
.frame { position: relative; aspect-ratio: 16 / 9; background: var(--soft) }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: var(--soft) }
.instead { position: absolute; inset: 0; display: grid; place-items: center; padding: 1rem; text-align: center; color: var(--dim);
  overflow: auto; overflow-wrap: anywhere }
img:not([hidden]) + .instead { inset: auto 0 0; padding: .4rem .75rem; color: #fff; background: #000b; text-align: left; place-items: start }
.under { display: flex; align-items: center; gap: .75rem; padding: .6rem .8rem }
.under time { margin-left: auto; color: var(--dim); font-size: .75rem; white-space: nowrap }
.under h3 + [hidden] + .pill { margin-left: auto }
.pill { flex: none; font-size: .75rem; line-height: 1.25rem; padding: 0 .5rem; border-radius: 99px; border: 1px solid var(--line); color: var(--dim); white-space: nowrap }
.pill::before { content: ""; display: inline-block; width: 6px; height: 6px; border-radius: 50%; background: currentColor; margin-right: .35rem; vertical-align: .1em }
.pill.live { color: var(--good) } .pill.stalled { color: var(--warning) } .pill.offline { color: var(--alarm) }
.pill.disabled::before, .pill.offline::before { background: none; border: 1.5px solid currentColor }
#microphones li { display: flex; flex-wrap: wrap; align-items: center; gap: .1rem .75rem; padding: .6rem .8rem }
#microphones li + li, #events li + li { border-top: 1px solid var(--line) }
#microphones .name { font-weight: 550; overflow-wrap: anywhere }
#microphones .pill { margin-left: auto }
#microphones p { flex-basis: 100%; overflow-wrap: anywhere }

.head { display: flex; justify-content: space-between; font-size: .8125rem }
#events-told:not(:empty) { margin-bottom: .6rem }
#events li { --tone: var(--off); display: grid; grid-template-columns: 88px minmax(0, 1fr) auto; gap: .2rem .9rem; align-items: center; padding: .7rem .8rem }
#events .warning { --tone: var(--warning) } #events .alarm { --tone: var(--alarm) } #events .info { --tone: var(--accent) }
.picture { position: relative; width: 88px; height: 56px; border-radius: 6px; overflow: hidden; background: var(--soft); display: grid; place-items: center; align-self: start }
.picture img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover }
.shape, .severity::before { width: 14px; height: 14px; background: var(--tone); border-radius: 50% }
.warning .shape, .warning .severity::before { border-radius: 1px; transform: rotate(45deg) scale(.75) }
.alarm .shape, .alarm .severity::before { border-radius: 0; clip-path: polygon(50% 4%, 100% 94%, 0 94%) }
.severity { color: var(--tone); font-weight: 550 }
.severity::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-right: .35rem }
.meta { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .7rem; font-size: .75rem; color: var(--dim); overflow-wrap: anywhere }
.meta .on { color: var(--text); font-weight: 500 }
.answer { font-size: .75rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
#events .button { font-size: .75rem; padding: .2rem .6rem }
.noted { font-size: .75rem; overflow-wrap: anywhere }
.noted::before { content: "✓ "; color: var(--good) }
footer { display: flex; gap: 1.25rem; padding: 2.5rem 0 1.5rem; font-size: .8125rem; color: var(--dim) }
footer a { color: inherit } footer span { margin-left: auto }

@media (max-width: 62rem) { #seen { grid-template-columns: minmax(0, 1fr); gap: 1.75rem } }
@media (max-width: 34rem) {
  body { padding: 0 1rem }
  header { flex-wrap: wrap; gap: .35rem 1rem }
  .account { margin-left: auto } #line { order: 3; margin: 0; flex-basis: 100% } #line:empty { display: none }
  #facts { display: grid; grid-template-columns: 1fr 1fr; gap: .9rem 1.25rem }
  #events li { grid-template-columns: 64px minmax(0, 1fr); align-items: start }
  .picture { width: 64px; height: 44px }
  #events .button { grid-column: 2; justify-self: start; margin-top: .3rem } }
@media (prefers-reduced-motion: no-preference) { .button { transition: background .12s } }
@media print { header .account, .button, footer { display: none } }
`;
