// From text of the server to values. Text of people stays text, and keeps to its own place.

/** Marks that turn the direction of whatever follows them, beyond the text they stand in. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** A value of the wire; a turning mark in any string shows as a replacement character. */
export function parse<T>(text: string): T {
  return JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' ? value.replace(TURNING, '\ufffd') : value)) as T;
}
