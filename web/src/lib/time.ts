// Times as people say them: two units at most, a zone where it matters.

import { counted } from './words.ts';

const UNITS: [string, number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** `1 h 4 min`, `12 s`, `0 s`: seconds in two units at most, the second one left out where it is zero. */
export function span(seconds: number): string {
  let left = Math.max(0, Math.round(seconds));
  // Seconds say nothing beside hours.
  if (left >= 3_600) left = Math.round(left / 60) * 60;
  const first = UNITS.findIndex(([, size]) => left >= size);
  if (first < 0) return '0 s';
  const [name, size] = UNITS[first] as [string, number];
  const whole = Math.floor(left / size);
  const next = UNITS[first + 1];
  const rest = next === undefined ? 0 : Math.floor((left - whole * size) / next[1]);
  return rest === 0 || next === undefined ? `${whole} ${name}` : `${whole} ${name} ${rest} ${next[0]}`;
}

/** Milliseconds since the epoch; NaN where there is no instant. */
export function ms(at: string | null | undefined): number {
  return at === null || at === undefined ? Number.NaN : Date.parse(at);
}

/** Seconds from one instant to another, 0 where one is missing. */
export function between(from: string | null, to: string | number | null): number {
  const end = typeof to === 'number' ? to : ms(to);
  const seconds = (end - ms(from)) / 1000;
  return Number.isFinite(seconds) ? seconds : 0;
}

const OFFSET = /^([+-])(\d{2}):?(\d{2})$/;

/** Wall-clock parts in a zone, which is an IANA name or an offset such as `+01:00`. */
function parts(at: number, zone: string, options: Intl.DateTimeFormatOptions): string {
  const offset = OFFSET.exec(zone);
  let [shift, timeZone] = [0, zone];
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    shift = (offset[1] === '-' ? -minutes : minutes) * 60_000;
    timeZone = 'UTC';
  }
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone }).format(at + shift);
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(at);
  }
}

/** `09:14`, or with seconds `09:14:03`. */
export function clock(at: string | number | null, zone: string, seconds = false): string {
  const time = typeof at === 'number' ? at : ms(at);
  if (!Number.isFinite(time)) return '–';
  const options: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return parts(time, zone, seconds ? { ...options, second: '2-digit' } : options);
}

/** `Wed 25 Nov`. */
export function day(at: string | number, zone: string): string {
  const time = typeof at === 'number' ? at : ms(at);
  if (!Number.isFinite(time)) return '–';
  return parts(time, zone, { weekday: 'short', day: 'numeric', month: 'short' }).replace(',', '');
}

/** How a zone is called: its city, or its offset. */
export function zoneName(zone: string): string {
  if (OFFSET.test(zone)) return `UTC${zone}`;
  return zone.split('/').pop()?.replaceAll('_', ' ') ?? zone;
}

/** Whether two zones show the same wall clock at this moment. */
export function sameClock(at: number, one: string, other: string): boolean {
  return clock(at, one) === clock(at, other) && day(at, one) === day(at, other);
}

/** `in 4 min`, `3 h ago`, `now`. */
export function away(at: string, now: number): string {
  const seconds = (ms(at) - now) / 1000;
  if (!Number.isFinite(seconds)) return '';
  if (Math.abs(seconds) < 1) return 'now';
  return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
}

/** `2 of 3 steps` for people who listen. */
export function ofAll(done: number, all: number, one: string): string {
  return `${done} of ${counted(all, one)}`;
}
