/** The page of `perch simulate --live`: picture, sound, and the right answers beside them. Needs nothing from elsewhere. */
export const LIVE_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Simulated cell</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  main { display: flex; flex-wrap: wrap; gap: 1.5rem }
  img { width: min(100%, 36rem); aspect-ratio: auto; border-radius: 8px; background: #8883; image-rendering: auto }
  table { border-collapse: collapse; min-width: 15rem }
  th { text-align: left; font-weight: 500; opacity: .65; padding: .1rem 1rem .1rem 0 }
  td { font-variant-numeric: tabular-nums }
  button { font: inherit; padding: .35rem .9rem; border-radius: 6px; border: 1px solid #8886; cursor: pointer }
  p { opacity: .75 }
</style>
<h1>Simulated cell</h1>
<main>
  <img src="/camera" alt="What the simulated camera sees">
  <div>
    <table aria-label="What a perfect viewer would say"><tbody id="seen"></tbody></table>
    <p id="heard" aria-live="polite"></p>
    <button id="listen">Listen</button>
  </div>
</main>
<p>Nothing here is real: a scenario or the random cell, rendered on this machine.</p>
<script>
  const rows = document.getElementById("seen"), heard = document.getElementById("heard");
  async function tell() {
    try {
      const now = await (await fetch("/now")).json();
      rows.replaceChildren(...Object.entries(now.seen).map(([field, value]) => {
        const row = document.createElement("tr");
        const name = document.createElement("th"), cell = document.createElement("td");
        name.textContent = field; cell.textContent = value === true ? "yes" : value === false ? "no" : value;
        row.append(name, cell);
        return row;
      }));
      heard.textContent = "Heard: " + now.heard;
    } catch { heard.textContent = "The simulation has ended."; }
    setTimeout(tell, 250);
  }
  tell();
  const button = document.getElementById("listen");
  button.onclick = async () => {
    button.disabled = true; button.textContent = "Listening";
    const audio = new AudioContext({ sampleRate: 16000 });
    let next = audio.currentTime + 0.3, left = new Uint8Array(0);
    const reader = (await fetch("/microphone")).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = new Uint8Array(left.length + value.length);
      bytes.set(left); bytes.set(value, left.length);
      const whole = bytes.length & ~1;
      left = bytes.slice(whole);
      if (whole === 0) continue;
      const samples = new Int16Array(bytes.buffer.slice(0, whole));
      const buffer = audio.createBuffer(1, samples.length, 16000);
      buffer.getChannelData(0).set(Float32Array.from(samples, (sample) => sample / 32768));
      const source = audio.createBufferSource();
      source.buffer = buffer; source.connect(audio.destination);
      next = Math.max(next, audio.currentTime + 0.05);
      source.start(next); next += buffer.duration;
    }
    button.disabled = false; button.textContent = "Listen";
  };
</script>
</html>
`;
