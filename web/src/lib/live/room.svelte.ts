// The live room: one event stream, folded. It says plainly whether what is shown is live, and since when not.

import { time } from '../clock.svelte.ts';
import { names } from '../names.svelte.ts';
import { act, freshKey, Problem, read, settled } from '../wire/api.ts';
import { parse } from '../wire/parse.ts';
import { NEXT, type FeedLine, type Hello, type Me, type OpenedFrame, type OutputFrame, type RunPatch, type RunView, type SeatsFrame } from '../wire/types.ts';
import { heard, NO_OUTPUT, patched, told, type Output } from './fold.ts';
import type { Frame } from './sse.ts';
import { Stream } from './stream.ts';

/** How often this page says that somebody looks at it; a seat lasts three of these. */
const SEAT_MS = 2_000;
/** A break that is mended within this is no news. */
const NEWS_MS = 1_500;

/** This open tab: two of one person do not speak for each other. */
const TAB = freshKey();

/** Lost is told with the time of the last word, since that is how old the page may be; `out` where the link has run out. */
export type Connection = { is: 'off' | 'connecting' | 'live' } | { is: 'lost'; since: number; out: boolean };

class Room {
  me = $state.raw<Me | null>(null);
  run = $state.raw<RunView | null>(null);
  lines = $state.raw<readonly FeedLine[]>([]);
  outputs = $state.raw<Readonly<Record<string, Output>>>({});
  connection = $state.raw<Connection>({ is: 'off' });
  problem = $state.raw<Problem | null>(null);
  /** Counts the server's "read the handoff again". */
  handoffTurn = $state(0);
  /** The run that goes on, or else the launch to come. */
  going = $state.raw<string>(NEXT);
  /** The run that was opened while this page looked on. */
  opened = $state.raw<string | null>(null);
  /** The server speaks of another version of itself: a reload brings its page. */
  newer = $state(false);

  #version: string | null = null;
  #stream: Stream | null = null;
  #asked: string | null = null;
  /** The stream began here, so that the timeline must be read from its beginning. */
  #fromNothing = true;
  /** The last line that was read, and not heard: before it there is no hole. */
  #told = 0;
  #reads = 0;
  /** What the stream changed since the latest reading was asked for. */
  #since: ((run: RunView) => RunView)[] = [];
  #reading: Promise<void> = Promise.resolve();

  constructor() {
    setInterval(() => void this.#seat(), SEAT_MS);
    addEventListener('offline', () => this.#stream?.cut());
    addEventListener('online', () => this.now());
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', (event) => event.persisted && location.reload());
    document.addEventListener('visibilitychange', () => {
      this.now();
      void this.#seat();
    });
  }

  /** Since when what is shown may be old, for a break that was not mended at once. */
  notLive(now: number): Extract<Connection, { is: 'lost' }> | null {
    const connection = this.connection;
    return connection.is === 'lost' && (connection.out || now - connection.since > NEWS_MS) ? connection : null;
  }

  /** Watches `run`, or only the handoff where there is none. */
  watch(run: string | null): void {
    if (this.#stream !== null && this.#asked === run) return;
    if (this.#asked !== run) {
      this.run = null;
      this.lines = [];
      this.outputs = {};
      this.problem = null;
      this.#told = 0;
    }
    this.#asked = run;
    // Read beside the opening of the stream, not after it; `hello` tells whether something fell between.
    void this.refresh();
    this.#open();
  }

  /** Watches nothing any more. */
  close(): void {
    this.#stream?.close();
    this.#stream = null;
    this.connection = { is: 'off' };
  }

  /** Tries at once to be live again. */
  now(): void {
    this.#stream?.now();
  }

  /** Reads the run anew, and its timeline where that may have holes; what arrives meanwhile is folded after. */
  refresh(): Promise<void> {
    this.#reading = this.#read();
    return this.#reading;
  }

  async #read(): Promise<void> {
    const asked = this.#asked;
    if (asked === null) return;
    const turn = ++this.#reads;
    this.#since = [];
    try {
      const run = await read.run(asked);
      if (turn !== this.#reads) return;
      time.heard(run.at);
      names.learn(run.people);
      this.run = this.#since.reduce((run, change) => change(run), run);
      this.problem = null;
      if (this.lines.length === 0 || this.#fromNothing) await this.#story(asked);
    } catch (why) {
      if (!(why instanceof Problem)) throw why;
      if (turn === this.#reads) this.problem = why;
    }
  }

  /** This person gets up from this tab. */
  async leave(): Promise<void> {
    await act.leaveSeat(TAB).catch(() => undefined);
    this.close();
    await act.leave().catch(() => undefined);
    this.me = null;
  }

  /** Follows the output of one attempt from its beginning. */
  async follow(attempt: string): Promise<void> {
    let output = this.outputs[attempt] ?? NO_OUTPUT;
    for (let more = true; more; ) {
      const piece = await read.output(attempt, output.next);
      const next = heard(output, output.next, piece.text, piece.next);
      if (next === 'gap') return;
      more = !piece.complete && piece.next > output.next;
      output = { ...next, complete: piece.complete };
      this.outputs = { ...this.outputs, [attempt]: output };
    }
  }

  async #story(run: string): Promise<void> {
    for await (const page of read.timeline(run, this.#told)) {
      if (this.#asked !== run) return;
      this.lines = page.reduce(told, this.lines);
      this.#told = page.at(-1)?.seq ?? this.#told;
    }
  }

  #open(): void {
    this.#stream?.close();
    this.connection = { is: 'connecting' };
    const query = this.#asked === null ? '' : `?run=${encodeURIComponent(this.#asked)}`;
    this.#stream = new Stream(`/api/live${query}`, {
      opened: (again, from) => this.#opened(again, from),
      heard: (frame) => this.#heard(frame),
      lost: (heard, why) => this.#lost(heard, why),
    });
  }

  #opened(again: boolean, from: string | null): void {
    this.connection = { is: 'live' };
    this.#fromNothing = from === null;
    if (!again) return;
    this.handoffTurn += 1;
    void this.refresh().then(() => {
      if (this.problem === null) settled();
    });
  }

  #lost(heard: number, why: Problem | null): void {
    const since = this.connection.is === 'lost' ? this.connection.since : time.of(heard);
    this.connection = { is: 'lost', since, out: why?.out ?? false };
  }

  #heard({ event, data }: Frame): void {
    if (event === 'hello') void this.#hello(parse<Hello>(data));
    else if (event === 'feed') this.lines = told(this.lines, parse<FeedLine>(data));
    else if (event === 'run') this.#change(parse<RunPatch>(data), patched);
    else if (event === 'seats') this.#change(parse<SeatsFrame>(data), (run, { people }) => ({ ...run, people }));
    else if (event === 'output') this.#said(parse<OutputFrame>(data));
    else if (event === 'handoff') this.handoffTurn += 1;
    else if (event === 'opened') this.opened = parse<OpenedFrame>(data).run;
  }

  #change<T>(frame: T, fold: (run: RunView, frame: T) => RunView): void {
    this.#since.push((run) => fold(run, frame));
    if (this.run !== null) this.run = fold(this.run, frame);
  }

  async #hello(hello: Hello): Promise<void> {
    time.heard(hello.at);
    if (this.#version !== null && hello.version !== this.#version) this.newer = true;
    this.#version ??= hello.version;
    await this.#reading;
    if (this.run !== null && hello.seq > this.run.seq) await this.refresh();
  }

  #said(piece: OutputFrame): void {
    const known = this.outputs[piece.attempt];
    if (known === undefined) return;
    const next = heard(known, piece.from, piece.text, piece.next);
    // A hole: what is missing is read; where that fails, the next piece brings one here again.
    if (next === 'gap') void this.follow(piece.attempt).catch(() => undefined);
    else this.outputs = { ...this.outputs, [piece.attempt]: next };
  }

  /** Says that somebody looks at this page; what keeps it from being heard shows in the stream. */
  async #seat(): Promise<void> {
    if (this.me?.handle == null || this.#stream === null) return;
    const seat = await act.seat(document.visibilityState === 'visible', TAB).catch(() => null);
    time.heard(seat?.at);
  }
}

export const room = new Room();
