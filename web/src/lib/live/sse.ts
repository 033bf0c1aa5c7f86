// An event stream, taken apart. Pure. Read by hand and not by the browser's EventSource, which hides the
// comment lines by which a quiet stream shows that it lives, and the reason why one was refused.

export interface Frame {
  event: string;
  data: string;
  /** The place in the ledger, where the frame has one. */
  id: string | null;
}

/** Takes text in pieces, cut anywhere, and gives each frame once it is whole. */
export class Frames {
  #rest = '';
  #event = '';
  #id: string | null = null;
  #data: string[] = [];

  push(text: string): Frame[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  #line(line: string): Frame[] {
    if (line === '') return this.#whole();
    const colon = line.indexOf(':');
    const [field, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.#id = value;
    return [];
  }

  #whole(): Frame[] {
    const frame: Frame = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const said = this.#data.length > 0;
    this.#event = '';
    this.#id = null;
    this.#data = [];
    return said ? [frame] : [];
  }
}
