"""How the page of a run looks: by day and by night, on a phone and on a desk."""

STYLE = """
:root {
  --paper: #ffffff; --ink: #1c2733; --soft: #5a6878; --line: #d9e0e8; --shade: #f3f6fa;
  --good: #1a7f47; --bad: #b3261e; --mixed: #8a5a00; --live: #0b6e8f;
  --work: #2f6fb0; --waited: #b9cbe0; --machine: #4d8a6f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14191f; --ink: #e4e9ef; --soft: #9aa8b7; --line: #313b47; --shade: #1d242c;
    --good: #62c98d; --bad: #ff8a80; --mixed: #e8b65a; --live: #6cc7e6;
    --work: #6aa5e3; --waited: #4d6785; --machine: #6bb394;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.15rem; }
h1 .state { font-size: 1rem; font-weight: 500; white-space: nowrap; margin-left: .35rem; }
.state { color: var(--soft); }
.done { color: var(--good); } .running { color: var(--live); }
.failed, .lost { color: var(--bad); } .cancelled, .stopped { color: var(--mixed); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .6rem 2rem; margin: 0; }
dl div:last-child { grid-column: 1 / -1; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.note, .key { color: var(--soft); font-size: .9rem; margin: .6rem 0; }
.error { border-left: 4px solid var(--bad); background: var(--shade); padding: .6rem .9rem; margin: .6rem 0; }
.error b { overflow-wrap: anywhere; }
pre { margin: .2rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.45 ui-monospace, monospace; }
table { width: 100%; border-collapse: collapse; font-size: .95rem; }
th, td { padding: .45rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 8rem; }
th:first-child { padding-left: 0; } td:last-child, th:last-child { padding-right: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { margin: .7rem 0; }
.bar > div { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; font-size: .95rem; }
.bar b { font-weight: 600; overflow-wrap: anywhere; } .bar span { color: var(--soft); }
.bar svg { display: block; width: 100%; height: 14px; background: var(--shade); border-radius: 3px; margin-top: .2rem; }
.work { fill: var(--work); } .waited { fill: var(--waited); }
.machine { fill: var(--machine); stroke: var(--paper); stroke-width: 1px; }
.key i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .1em 0 .6em; }
.key i:first-child { margin-left: 0; }
.key .work { background: var(--work); } .key .waited { background: var(--waited); }
@media (max-width: 58rem) {
  main { padding: 1.25rem 1rem 2rem; }
  .stages, .stages tbody, .stages tr, .stages th, .stages td { display: block; }
  .stages thead { display: none; }
  .stages tr { border-bottom: 1px solid var(--line); padding: .7rem 0; display: grid; grid-template-columns: 1fr 1fr; }
  .stages th, .stages td { border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  .stages tbody th { grid-column: 1 / -1; font-size: 1.05rem; }
  .stages td::before { content: attr(data-name) " "; color: var(--soft); font-size: .85rem; }
  .stages td:empty { display: none; }
}
@media print { main { padding: 0; } }
"""
