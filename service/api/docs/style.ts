/** The page's looks, light and dark by what the reader's system prefers. */
export const DOCS_STYLE = `
:root { color-scheme: light dark; --text: #1c2024; --dim: #5b6470; --line: #dde1e6; --back: #fff; --soft: #f5f6f8;
  --get: #1a66b5; --post: #1b7a43; --put: #9a5b00; --delete: #b3261e; --link: #1a66b5 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --dim: #9aa4b0; --line: #2e343b; --back: #14171a; --soft: #1c2025;
    --get: #6db3f2; --post: #6fcf97; --put: #f2b35e; --delete: #f28b82; --link: #6db3f2 } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back) }
a { color: var(--link) }
.page { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 76rem; margin: 0 auto }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem; border-right: 1px solid var(--line);
  font-size: .85rem }
nav h2 { font-size: .8rem; text-transform: capitalize; margin: 1rem 0 .25rem; padding: 0; border: 0 }
nav ol { list-style: none; margin: 0; padding: 0 }
nav a { display: flex; gap: .5rem; padding: .15rem 0; text-decoration: none; color: inherit; overflow-wrap: anywhere }
nav a:hover { text-decoration: underline }
nav .method { flex: none; width: 3.2rem; text-align: right }
main { padding: 2rem; min-width: 0 }
h1 { font-size: 1.9rem; margin: 0 0 .5rem }
h2 { font-size: 1.4rem; text-transform: capitalize; margin: 3rem 0 .25rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 0; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline }
h4 { font-size: .85rem; margin: 1rem 0 .25rem; color: var(--dim); font-weight: 600 }
article { margin: 1.75rem 0; padding: 1rem 1.25rem; border: 1px solid var(--line); border-radius: 8px }
article p { margin: .25rem 0 }
code, pre { font: .85em/1.5 ui-monospace, monospace }
pre { background: var(--soft); padding: .75rem 1rem; border-radius: 6px; overflow-x: auto; margin: .5rem 0 0 }
.method { font: 700 .8em ui-monospace, monospace; color: var(--dim) }
.get { color: var(--get) } .post { color: var(--post) } .put, .patch { color: var(--put) } .delete { color: var(--delete) }
.path { font-family: ui-monospace, monospace; font-weight: 600; overflow-wrap: anywhere }
.dim { color: var(--dim); font-size: .9rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line) }
tr:first-child > * { border-top: 0 }
td:first-child { white-space: nowrap }
td:nth-child(2) { color: var(--dim); min-width: 8rem }
summary { cursor: pointer; color: var(--dim); font-size: .85rem; font-weight: 600; margin-top: 1rem }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
@media (max-width: 60rem) {
  .page { display: block } nav { position: static; height: auto; max-height: 40vh; border: 0; border-bottom: 1px solid var(--line) }
  main { padding: 1.25rem } article { padding: .75rem 1rem }
  tr { display: block; padding: .4rem 0; border-top: 1px solid var(--line) } tr:first-child { border-top: 0 }
  td { display: block; border: 0; padding: 0 } td:first-child { white-space: normal; overflow-wrap: anywhere; font-weight: 600 } }
@media print { nav { display: none } .page { display: block } article { break-inside: avoid } }
`;
