// One live region for the whole page: what matters is told once, politely.

class Announcer {
  says = $state('');
}

export const announcer = new Announcer();

export function announce(text: string): void {
  announcer.says = text;
}
