import { describe, expect, it } from 'vitest';
import { path, reach, ticks } from '../../src/lib/parts/plot.ts';
import { layout, NODE } from '../../src/pages/run/layout.ts';
import { RUNS } from '../fixtures/data.js';

describe('a plot', () => {
  it('reaches over its points and its limit', () => {
    const series = [{ name: 'a', tone: '', points: [[10, 2], [20, 5], [30, Number.NaN]] as [number, number][] }];
    expect(reach(series, 8)).toEqual({ from: 10, to: 30, top: 8 * 1.12 });
    expect(reach([], null).top).toBe(1);
  });
  it.each([1, 0.0123, 3, 9.5, 100, 123_456])('has few round ticks up to %d', (top) => {
    const all = ticks(top);
    expect(all[0]).toBe(0);
    expect(all.length).toBeGreaterThanOrEqual(2);
    expect(all.length).toBeLessThanOrEqual(5);
    expect(all.at(-1)).toBeLessThanOrEqual(top);
  });
  it('leaves out what is no number', () => {
    const box = { left: 0, top: 0, width: 100, height: 10 };
    const d = path([[0, 0], [5, Number.NaN], [10, 10]], box, { from: 0, to: 10, top: 10 }, false);
    expect(d).toBe('M0.0 10.0L100.0 0.0');
    expect(path([[0, 0], [10, 10]], box, { from: 0, to: 10, top: 10 }, true)).toBe('M0.0 10.0H100.0V0.0');
  });
});

describe('the graph', () => {
  const steps = (RUNS['run_launch'] as () => { steps: { id: string; after: string[] }[] })().steps;
  it('puts every step right of those it waits for, none over another', () => {
    const { spots, edges } = layout(steps);
    const at = new Map(spots.map((spot) => [spot.id, spot]));
    expect(edges.length).toBe(steps.reduce((sum, step) => sum + step.after.length, 0));
    for (const { from, to } of edges) expect(at.get(to)?.x).toBeGreaterThanOrEqual((at.get(from)?.x ?? 0) + NODE.width);
    for (const one of spots)
      for (const other of spots)
        if (one.id < other.id) expect(Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height).toBe(true);
  });
  it('passes over steps it does not know', () => {
    expect(layout([{ id: 'a', after: ['gone'] }]).edges).toEqual([]);
    expect(layout([]).spots).toEqual([]);
  });
});
