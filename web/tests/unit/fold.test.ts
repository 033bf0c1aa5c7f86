import { describe, expect, it } from 'vitest';
import { heard, LINES_MAX, NO_OUTPUT, OUTPUT_CHARS_MAX, patched, told } from '../../src/lib/live/fold.ts';
import type { FeedLine, RunView, Step } from '../../src/lib/wire/types.ts';
import { lines, RUNS } from '../fixtures/data.js';

const run = (): RunView => (RUNS['run_launch'] as () => RunView)();
const line = (seq: number): FeedLine => ({ seq, at: '2026-11-25T09:00:00Z', by: 'pia', says: `line ${seq}`, weight: 'plain', kind: 'said' });

describe('a patch', () => {
  it('replaces whole steps and changed parts, and keeps the rest', () => {
    const before = run();
    const step: Step = { ...(before.steps[4] as Step), state: 'succeeded' };
    const after = patched(before, { seq: 41, steps: [step], mode: 'paused' });
    expect(after.steps[4]).toBe(step);
    expect(after.steps[3]).toBe(before.steps[3]);
    expect([after.mode, after.seq, after.phases]).toEqual(['paused', 41, before.phases]);
    expect(before.mode).toBe('going');
  });

  it('that is already contained changes nothing, nor does a step nobody knows', () => {
    const before = run();
    expect(patched(before, { seq: before.seq, mode: 'ended' })).toBe(before);
    const stranger: Step = { ...(before.steps[0] as Step), id: 'stranger' };
    expect(patched(before, { seq: 41, steps: [stranger] }).steps).toEqual(before.steps);
  });

  it('without a place in the ledger tells what time alone changed', () => {
    const before = { ...run(), driven: true };
    const after = patched(before, { driven: false, forecast: null });
    expect([after.driven, after.forecast, after.seq]).toEqual([false, null, before.seq]);
  });

  it('folded one by one gives the same as read anew and folded from there', () => {
    const patches = [41, 42, 43].map((seq) => ({ seq, driven: seq % 2 === 0 }));
    const fresh = run();
    const whole = patches.reduce(patched, fresh);
    const anew = patches.reduce(patched, patched(fresh, { seq: 42, driven: true }));
    expect(anew).toEqual(whole);
  });
});

describe('the feed', () => {
  it('stands in the order of the ledger, each line once, however it arrives', () => {
    const ordered = [1, 2, 3, 4, 5].map(line);
    const shuffled = [3, 1, 5, 3, 2, 4, 5].map(line).reduce<readonly FeedLine[]>(told, []);
    expect(shuffled).toEqual(ordered);
  });

  it('replayed after a reconnect is not doubled', () => {
    const all = lines('run_launch');
    const once = all.reduce<readonly FeedLine[]>(told, []);
    expect(all.slice(4).reduce(told, once)).toBe(once);
  });

  it('keeps the newest lines only', () => {
    let kept: readonly FeedLine[] = [];
    for (let seq = 1; seq <= LINES_MAX + 3; seq += 1) kept = told(kept, line(seq));
    expect([kept.length, kept[0]?.seq]).toEqual([LINES_MAX, 4]);
  });
});

describe('an output', () => {
  it('grows piece by piece, and a piece it has is not doubled', () => {
    const first = heard(NO_OUTPUT, 0, 'one\n', 4);
    if (first === 'gap') throw new Error('a gap');
    expect(heard(first, 4, 'two\n', 8)).toMatchObject({ text: 'one\ntwo\n', next: 8 });
    expect(heard(first, 0, 'one\n', 4)).toBe(first);
  });

  it('with a hole, or a piece that overlaps, is read again', () => {
    expect(heard(NO_OUTPUT, 9, 'late', 13)).toBe('gap');
    const first = heard(NO_OUTPUT, 0, 'one\n', 4);
    expect(first === 'gap' ? first : heard(first, 2, 'e\ntwo', 7)).toBe('gap');
  });

  it('that is huge keeps its end', () => {
    const big = heard(NO_OUTPUT, 0, `${'x'.repeat(OUTPUT_CHARS_MAX)}end`, OUTPUT_CHARS_MAX + 3);
    if (big === 'gap') throw new Error('a gap');
    expect([big.text.length, big.text.endsWith('end'), big.cut]).toEqual([OUTPUT_CHARS_MAX, true, true]);
  });
});
