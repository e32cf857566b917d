/** One line or filled step over time; null where there is nothing. */
export interface Trace {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly width?: number;
  readonly dashed?: boolean;
  /** Holds its value until the next one. */
  readonly stepped?: boolean;
}
export interface Panel {
  readonly title: string;
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  readonly traces: readonly Trace[];
  readonly height: number;
}
export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 1000;
const LEFT = 110;
const RIGHT = 190;
const GAP = 24;
const HOURS = 24;

/** Sections of panels, one under the other, over a day. No more than SVG that any browser shows. */
export function plot(sections: readonly Section[]): string {
  const parts: string[] = [];
  let y = 10;
  for (const { title, panels } of sections) {
    y += 24;
    parts.push(text(LEFT, y, title, "start", 'font-weight="600" font-size="15"'));
    y += 26;
    for (const [i, panel] of panels.entries()) {
      parts.push(drawn(panel, y, i === panels.length - 1));
      y += panel.height + GAP;
    }
    y += 16;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + RIGHT} ${y}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>Boxes that live through a day, with and without the governor</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function drawn(panel: Panel, top: number, last: boolean): string {
  const { title, low, high, ticks, traces, height } = panel;
  const yOf = (value: number) =>
    top + height - (height * (Math.min(high, Math.max(low, value)) - low)) / (high - low);
  const parts = [
    `<rect x="${LEFT}" y="${top}" width="${WIDTH}" height="${height}" fill="#fafafa" stroke="#ccc"/>`,
    text(LEFT, top - 5, title, "start", 'fill="#666"'),
  ];
  for (const { at, text: label } of ticks) {
    const y = yOf(at);
    parts.push(`<line x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${n(y)}" y2="${n(y)}" stroke="#e4e4e4"/>`);
    parts.push(text(LEFT - 6, y + 4, label, "end", 'fill="#444"'));
  }
  for (let hour = 0; hour <= HOURS; hour += 3) {
    const x = LEFT + (WIDTH * hour) / HOURS;
    parts.push(`<line x1="${n(x)}" x2="${n(x)}" y1="${top}" y2="${top + height}" stroke="#eee"/>`);
    if (last) parts.push(text(x, top + height + 16, `${hour} h`, "middle", 'fill="#444"'));
  }
  for (const [i, trace] of traces.entries()) {
    const { name, colour, width = 1.2, dashed = false } = trace;
    const dash = dashed ? ' stroke-dasharray="5 4"' : "";
    parts.push(
      `<path d="${path(trace, yOf)}" fill="none" stroke="${colour}" stroke-width="${width}"${dash} stroke-linejoin="round"/>`,
    );
    const y = top + 14 + 17 * i;
    const x = LEFT + WIDTH + 10;
    parts.push(
      `<line x1="${x}" x2="${x + 18}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="2"${dash}/>`,
    );
    parts.push(text(x + 24, y, name, "start", 'fill="#333"'));
  }
  return parts.join("\n");
}

function path({ values, stepped = false }: Trace, yOf: (value: number) => number): string {
  let d = "";
  let before: number | null = null;
  for (const [i, value] of values.entries()) {
    if (value !== null) {
      const x = n(LEFT + (WIDTH * i) / Math.max(1, values.length - 1));
      const y = n(yOf(value));
      if (before === null) d += `M${x} ${y}`;
      else d += stepped ? `H${x}V${y}` : `L${x} ${y}`;
    }
    before = value;
  }
  return d;
}

const n = (value: number) => value.toFixed(1);

const text = (x: number, y: number, content: string, anchor: string, more = "") =>
  `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" ${more}>${content.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`;
