import { expect, it } from 'vitest';
import { parse } from '../../src/lib/wire/parse.ts';

it('text cannot turn what stands beside it', () => {
  const sent = JSON.stringify({ says: 'a\u202eb', list: ['\u2066c\u2069'], seq: 3, none: null });
  expect(parse(sent)).toEqual({ says: 'a\ufffdb', list: ['\ufffdc\ufffd'], seq: 3, none: null });
});

it('right-to-left writing itself is left alone', () => {
  expect(parse('"שלום \u200f"')).toBe('שלום \u200f');
});
