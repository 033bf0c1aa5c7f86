import { describe, expect, it } from 'vitest';
import { Frames } from '../../src/lib/live/sse.ts';

const TEXT = ': still here\n\nid: 7\nevent: feed\ndata: {"says":"zu spät"}\n\nevent: seats\r\ndata: one\r\ndata: two\r\n\r\nid: 8\n\ndata:bare\n\n';
const WHOLE = [
  { event: 'feed', data: '{"says":"zu spät"}', id: '7' },
  { event: 'seats', data: 'one\ntwo', id: null },
  { event: 'message', data: 'bare', id: null },
];

describe('an event stream', () => {
  it('gives its frames whole, wherever its text is cut', () => {
    for (let at = 0; at <= TEXT.length; at += 1) {
      const frames = new Frames();
      expect([...frames.push(TEXT.slice(0, at)), ...frames.push(TEXT.slice(at))]).toEqual(WHOLE);
    }
    const frames = new Frames();
    expect([...TEXT].flatMap((letter) => frames.push(letter))).toEqual(WHOLE);
  });

  it('gives no frame that has not ended', () => {
    expect(new Frames().push('event: feed\ndata: half')).toEqual([]);
  });
});
