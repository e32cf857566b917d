/** Longest event of a stream, characters. */
const LONGEST_EVENT = 4e6;

/**
 * Reads a stream of server-sent events, whatever its line ends: gives what each holds (`data`) as soon as it is
 * whole. Comments and other fields are left out.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class EventReader {
  private rest = "";
  private data: string[] = [];
  private held = 0;

  /** What of a stream is whole now. Throws where an event is too long. */
  push(piece: string): string[] {
    const whole: string[] = [];
    const text = this.rest + piece;
    // A \r at the end may be the half of a line end.
    const until = text.endsWith("\r") ? text.length - 1 : text.length;
    let from = 0;
    const ends = /\r\n|\n|\r/g;
    for (let end = ends.exec(text); end && end.index < until; end = ends.exec(text)) {
      const event = this.line(text.slice(from, end.index));
      if (event !== undefined) whole.push(event);
      from = end.index + end[0].length;
    }
    this.rest = text.slice(from);
    if (this.rest.length + this.held > LONGEST_EVENT) throw new Error("an event of the answer is too long");
    return whole;
  }

  private line(line: string): string | undefined {
    if (line === "") {
      const event = this.data.length > 0 ? this.data.join("\n") : undefined;
      this.data = [];
      this.held = 0;
      return event;
    }
    const match = /^data:\s?(.*)$/s.exec(line);
    if (match?.[1] === undefined) return undefined;
    this.data.push(match[1]);
    this.held += match[1].length;
    return undefined;
  }
}
