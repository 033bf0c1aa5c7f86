// Light, dark, or as the system says. The choice stays in this browser.

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'baton-theme';
const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

class Themes {
  now = $state<Theme>(stored());

  constructor() {
    this.#show();
  }

  turn(): void {
    this.now = NEXT[this.now];
    try {
      localStorage.setItem(KEY, this.now);
    } catch {
      // A browser that keeps nothing still switches for this visit.
    }
    this.#show();
  }

  #show(): void {
    if (this.now === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.now;
  }
}

function stored(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

export const theme = new Themes();
