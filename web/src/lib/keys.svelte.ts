// Keys that work anywhere but where somebody types.

import { untrack } from 'svelte';

export interface Key {
  key: string;
  does: string;
  run: () => void;
}

class Keys {
  all = $state.raw<readonly Key[]>([]);

  constructor() {
    addEventListener('keydown', (event) => this.#press(event));
  }

  /** Adds keys until the answer is called. */
  add(keys: Key[]): () => void {
    const taken = new Set(keys.map(({ key }) => key));
    // Whoever adds keys does not want to know of others that do.
    const others = untrack(() => this.all).filter(({ key }) => !taken.has(key));
    this.all = [...others, ...keys];
    return () => (this.all = this.all.filter((key) => !keys.includes(key)));
  }

  #press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const at = event.target as HTMLElement | null;
    if (at?.closest?.('input, textarea, select, dialog, [contenteditable]')) return;
    const found = this.all.find(({ key }) => key === event.key);
    if (found === undefined) return;
    event.preventDefault();
    found.run();
  }
}

export const keys = new Keys();
