/** The page of `perch simulate --live`: picture, sound, and the right answers beside them. Needs nothing from elsewhere. */
export const LIVE_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Simulated cell</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
  body { max-width: 64rem; margin: 1.5rem auto; padding: 0 1rem }
  h1 { font-size: 1.2rem; margin: 0 0 1rem; overflow-wrap: anywhere }
  main { display: flex; flex-wrap: wrap; gap: 1.5rem }
  img { width: min(100%, 36rem); border-radius: 8px; background: #8883 }
  table { border-collapse: collapse }
  th { text-align: left; font-weight: 500; opacity: .7; padding: .1rem 1rem .1rem 0; vertical-align: top }
  td { font-variant-numeric: tabular-nums; padding-right: 1rem }
  button { font: inherit; padding: .35rem .9rem; border-radius: 6px; border: 1px solid #8886; cursor: pointer }
  section { flex: 1 1 18rem }
  #course { margin-top: 1.5rem }
  #course tr.now { background: #fc06 }
  #course th { opacity: 1; font-variant-numeric: tabular-nums }
</style>
<h1 id="what">Simulated cell</h1>
<main>
  <img src="/camera" alt="What the simulated camera sees">
  <section>
    <p><button id="listen">Listen</button> <span id="time"></span></p>
    <table aria-label="What a perfect viewer and listener would say"><tbody id="truth"></tbody></table>
  </section>
</main>
<table id="course" aria-label="What happens when"></table>
<script>
  const byId = (id) => document.getElementById(id);
  const rowOf = (name, ...values) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.textContent = name;
    row.append(head);
    for (const value of values) row.insertCell().textContent = value;
    return row;
  };
  let course = [];
  fetch("/course").then((answer) => answer.json()).then(({ what, rows }) => {
    byId("what").textContent = document.title = what === "cell" ? "The random cell" : what;
    course = rows.map(({ at, time, sense, text }) => ({ at, row: rowOf(time, sense, text) }));
    byId("course").replaceChildren(...course.map(({ row }) => row));
  });
  const word = (value) => value === true ? "yes" : value === false ? "no" : value;
  async function tell() {
    try {
      const { at, time, seen, heard } = await (await fetch("/now")).json();
      byId("time").textContent = time;
      const rows = Object.entries(seen).map(([field, value]) => rowOf(field, word(value)));
      byId("truth").replaceChildren(...rows, rowOf("heard", heard));
      for (const [i, { at: from, row }] of course.entries())
        row.classList.toggle("now", from <= at && at < (course[i + 1]?.at ?? Infinity));
    } catch { byId("time").textContent = "The simulation has ended."; }
    setTimeout(tell, 250);
  }
  tell();
  byId("listen").onclick = async () => {
    byId("listen").disabled = true;
    byId("listen").textContent = "Listening";
    const audio = new AudioContext({ sampleRate: 16000 });
    let next = 0, left = new Uint8Array(0);
    const reader = (await fetch("/microphone")).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = new Uint8Array(left.length + value.length);
      bytes.set(left);
      bytes.set(value, left.length);
      const whole = bytes.length & ~1;
      left = bytes.slice(whole);
      if (whole === 0) continue;
      const samples = Float32Array.from(new Int16Array(bytes.buffer.slice(0, whole)), (sample) => sample / 32768);
      const buffer = audio.createBuffer(1, samples.length, 16000);
      buffer.copyToChannel(samples, 0);
      const source = audio.createBufferSource();
      source.buffer = buffer;
      source.connect(audio.destination);
      if (next < audio.currentTime) next = audio.currentTime + 0.15;
      source.start(next);
      next += buffer.duration;
    }
    byId("listen").disabled = false;
    byId("listen").textContent = "Listen";
  };
</script>
</html>
`;
