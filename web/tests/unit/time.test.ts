import { describe, expect, it } from 'vitest';
import { away, clock, day, sameClock, span, zoneName } from '../../src/lib/time.ts';
import { counted, listed, lookOf } from '../../src/lib/words.ts';

describe('a span', () => {
  it.each([
    [0, '0 s'],
    [0.4, '0 s'],
    [59.6, '1 min'],
    [61, '1 min 1 s'],
    [3_600, '1 h'],
    [3_840, '1 h 4 min'],
    [3_599, '59 min 59 s'],
    [86_400 * 2 + 3_600 * 5 + 60, '2 d 5 h'],
    [-5, '0 s'],
  ])('of %d seconds is %s', (seconds, says) => expect(span(seconds)).toBe(says));

  it('never has more than two units, nor a unit that is full', () => {
    for (let seconds = 0; seconds < 200_000; seconds += 97) {
      const words = span(seconds).split(' ');
      expect(words.length).toBeLessThanOrEqual(4);
      expect(span(seconds)).not.toMatch(/\b60 (s|min)\b|\b24 h\b/);
    }
  });
});

describe('a clock', () => {
  const at = '2026-11-25T08:14:03Z';
  it('shows zones by name and by offset', () => {
    expect(clock(at, 'Europe/Oslo')).toBe('09:14');
    expect(clock(at, '+01:00', true)).toBe('09:14:03');
    expect(clock(at, '-09:30')).toBe('22:44');
    expect(day(at, '-09:30')).toBe('Tue 24 Nov');
    expect(clock(at, 'Asia/Kolkata')).toBe('13:44');
  });
  it('of no instant, or of a zone nobody knows, does not throw', () => {
    expect(clock(null, 'UTC')).toBe('–');
    expect(clock('nonsense', 'UTC')).toBe('–');
    expect(clock(at, 'Mars/Olympus')).toBe('08:14');
  });
  it('tells zones apart by what their clocks show', () => {
    expect(sameClock(Date.parse(at), 'Europe/Oslo', '+01:00')).toBe(true);
    expect(sameClock(Date.parse(at), 'Europe/Oslo', 'UTC')).toBe(false);
    expect(zoneName('+01:00')).toBe('UTC+01:00');
    expect(zoneName('America/Los_Angeles')).toBe('Los Angeles');
  });
  it('counts from now', () => {
    const now = Date.parse(at);
    expect(away('2026-11-25T08:18:03Z', now)).toBe('in 4 min');
    expect(away('2026-11-25T05:14:03Z', now)).toBe('3 h ago');
    expect(away(at, now)).toBe('now');
  });
});

describe('words', () => {
  it('count and list', () => {
    expect([counted(1, 'step'), counted(2, 'step')]).toEqual(['1 step', '2 steps']);
    expect(listed([])).toBe('');
    expect(listed(['a'])).toBe('a');
    expect(listed(['a', 'b', 'c'])).toBe('a, b and c');
    expect(listed(['a', 'b', 'c', 'd'])).toBe('a, b and 2 more');
  });
  it('know a state of a newer server by its own name', () => {
    expect(lookOf('half-way_there').word).toBe('half way there');
  });
});
