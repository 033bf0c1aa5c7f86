// Geometry of a plot: pure, and tested alone.

export interface Series {
  name: string;
  /** A class that colours the line. */
  tone: string;
  /** Milliseconds since the epoch, and a value of at least 0. */
  points: [number, number][];
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Reach {
  from: number;
  to: number;
  top: number;
}

/** What the axes must hold: all points, from zero up, and the limit. */
export function reach(series: readonly Series[], limit: number | null): Reach {
  let [from, to, top] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, limit ?? 0];
  for (const { points } of series) {
    for (const [at, value] of points) {
      from = Math.min(from, at);
      to = Math.max(to, at);
      if (Number.isFinite(value)) top = Math.max(top, value);
    }
  }
  return { from, to, top: top > 0 ? top * 1.12 : 1 };
}

/** At most four round numbers from 0 to `top`. */
export function ticks(top: number): number[] {
  const rough = top / 3;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((many) => many * size).find((step) => step >= rough) ?? rough;
  const all: number[] = [];
  for (let at = 0; at <= top; at += step) all.push(Number(at.toPrecision(6)));
  return all;
}

/** The `d` of a line; as stairs where a value holds until the next. */
export function path(points: readonly [number, number][], box: Box, reach: Reach, stairs: boolean): string {
  const span = reach.to - reach.from || 1;
  const x = (at: number) => (box.left + (box.width * (at - reach.from)) / span).toFixed(1);
  const y = (value: number) => (box.top + box.height * (1 - value / reach.top)).toFixed(1);
  let d = '';
  for (const [at, value] of points) {
    if (!Number.isFinite(value)) continue;
    if (d === '') d = `M${x(at)} ${y(value)}`;
    else d += stairs ? `H${x(at)}V${y(value)}` : `L${x(at)} ${y(value)}`;
  }
  return d;
}
