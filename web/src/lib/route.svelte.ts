// Which page is shown. Paths are plain, so that a link can be sent to somebody.

export type Route =
  | { page: 'handoffs' }
  | { page: 'handoff' }
  | { page: 'run'; run: string }
  | { page: 'review'; run: string }
  | { page: 'status' }
  | { page: 'out' }
  | { page: 'in' }
  | { page: 'nowhere' };

/** The page a path names. */
export function routeOf(path: string): Route {
  const words = path.split('/').filter((word) => word !== '').map(decodeURIComponent);
  const [first, run, third] = words;
  if (first === undefined) return { page: 'handoffs' };
  if (first === 'handoff' && words.length === 1) return { page: 'handoff' };
  if (first === 'status' && words.length === 1) return { page: 'status' };
  if ((first === 'out' || first === 'in') && words.length === 1) return { page: first };
  if (first === 'runs' && run !== undefined) {
    if (third === undefined) return { page: 'run', run };
    if (third === 'review' && words.length === 3) return { page: 'review', run };
  }
  return { page: 'nowhere' };
}

class Router {
  now = $state.raw<Route>({ page: 'nowhere' });
  /** What a link brought behind its `#`; taken out of the address at once, so that it stays in no history. */
  #token = '';

  constructor() {
    this.#read();
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#click(event));
  }

  go(path: string): void {
    history.pushState(null, '', path);
    this.#read();
    scrollTo(0, 0);
  }

  /** As `go`, but there is no way back to where one was. */
  replace(path: string): void {
    history.replaceState(null, '', path);
    this.#read();
  }

  /** The token of the link one came by, once. */
  takeToken(): string {
    const token = this.#token;
    this.#token = '';
    return token;
  }

  #read(): void {
    const route = routeOf(location.pathname);
    if (route.page === 'in' && location.hash !== '') {
      this.#token = location.hash.slice(1);
      history.replaceState(null, '', location.pathname);
    }
    this.now = route;
  }

  /** Links to our own pages need no new document; all else is the browser's. */
  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target !== '' || link.hasAttribute('download')) return;
    const to = new URL(link.href, location.href);
    if (to.origin !== location.origin || to.pathname.startsWith('/api/') || to.hash !== '') return;
    event.preventDefault();
    this.go(to.pathname);
  }
}

export const router = new Router();
