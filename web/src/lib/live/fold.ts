// What the page knows is a fold of what the server says. Pure: no clock, no network.

import type { FeedLine, RunPatch, RunView } from '../wire/types.ts';

/** Lines kept on the page; older ones are read by page from the timeline. */
export const LINES_MAX = 2_000;
/** Characters kept of one output; the start is dropped, since its end is what is watched. */
export const OUTPUT_CHARS_MAX = 200_000;

/** `run` after `patch`; a patch that it already contains changes nothing. One without `seq` tells what time alone changed. */
export function patched(run: RunView, patch: RunPatch): RunView {
  if (patch.seq !== undefined && patch.seq <= run.seq) return run;
  const { steps, ...rest } = patch;
  const next: RunView = { ...run, ...rest };
  if (steps !== undefined && steps.length > 0) {
    const changed = new Map(steps.map((step) => [step.id, step]));
    next.steps = run.steps.map((step) => changed.get(step.id) ?? step);
  }
  return next;
}

/** `lines` with `line` in the order of the ledger, and none twice. */
export function told(lines: readonly FeedLine[], line: FeedLine): readonly FeedLine[] {
  let at = lines.length;
  while (at > 0 && (lines[at - 1] as FeedLine).seq > line.seq) at -= 1;
  if (at > 0 && (lines[at - 1] as FeedLine).seq === line.seq) return lines;
  const next = [...lines.slice(0, at), line, ...lines.slice(at)];
  return next.length > LINES_MAX ? next.slice(next.length - LINES_MAX) : next;
}

/** Bytes of an attempt's output that the page has, and where they begin and end. */
export interface Output {
  text: string;
  /** The server's offset behind the last piece. */
  next: number;
  complete: boolean;
  /** The beginning was dropped. */
  cut: boolean;
}

export const NO_OUTPUT: Output = { text: '', next: 0, complete: false, cut: false };

/** `output` with a piece that begins at `from`; a piece with a gap before it is not taken, since it must be read again. */
export function heard(output: Output, from: number, text: string, next: number): Output | 'gap' {
  if (from > output.next) return 'gap';
  if (next <= output.next) return output;
  if (from < output.next) return 'gap';
  const whole = output.text + text;
  const over = whole.length - OUTPUT_CHARS_MAX;
  return {
    ...output,
    text: over > 0 ? whole.slice(over) : whole,
    next,
    cut: output.cut || over > 0,
  };
}
