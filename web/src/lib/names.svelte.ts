// What people are called, learned from whatever was read; a handle nobody explained stays as it is.

class Names {
  #known = $state.raw<Readonly<Record<string, string>>>({});

  learn(people: readonly { handle: string; name: string }[]): void {
    const known = { ...this.#known };
    for (const { handle, name } of people) known[handle] = name;
    this.#known = known;
  }

  of(handle: string): string {
    return this.#known[handle] ?? handle;
  }
}

export const names = new Names();
