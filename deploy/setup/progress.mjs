const SLOW = 2000;

/**
 * Says what set-up does: nothing for what is quick, one line for each step that is done. What takes longer
 * than two seconds shows on a terminal as one line that is rewritten, elsewhere as one line at its begin.
 */
export class Progress {
  constructor(out = process.stdout) {
    this.out = out;
    this.active = new Map();
    this.drawn = false;
  }

  /** Runs one step; `work` may call its argument with what it is at ("43 %"). */
  async step(title, hint, work) {
    const state = { title, begun: Date.now(), note: "" };
    this.active.set(title, state);
    const slow = setTimeout(() => this.showSlow(title, hint), SLOW);
    this.ticker ??= setInterval(() => this.draw(), 500).unref();
    try {
      const result = await work((note) => {
        state.note = note;
      });
      this.active.delete(title);
      this.line(`${typeof result === "string" ? result : title} (${seconds(state.begun)})`);
    } finally {
      this.active.delete(title);
      clearTimeout(slow);
    }
  }

  line(text) {
    this.clear();
    this.out.write(`set-up: ${text}\n`);
  }

  clear() {
    if (!this.drawn) return;
    this.out.write("\r\x1b[K");
    this.drawn = false;
  }

  showSlow(title, hint) {
    if (this.out.isTTY) this.draw();
    else this.line(`${title} …${hint ? ` ${hint}` : ""}`);
  }

  draw() {
    if (!this.out.isTTY) return;
    const parts = [...this.active.values()]
      .filter(({ begun }) => Date.now() - begun >= SLOW)
      .map(({ title, note, begun }) => `${title} ${note === "" ? seconds(begun) : note}`);
    if (parts.length === 0) return;
    this.clear();
    this.out.write(`set-up: ${parts.join(" · ")}`.slice(0, (this.out.columns ?? 80) - 1));
    this.drawn = true;
  }
}

function seconds(begun) {
  const value = (Date.now() - begun) / 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}
