interface Entry {
  readonly map: Map<unknown, unknown>;
  readonly key: unknown;
  readonly before: unknown;
}

/** Changes of maps that can be taken back: one call of a batch is refused, the others stay. */
export class Journal {
  #entries: Entry[] = [];

  set<K, V extends {} | null>(map: Map<K, V>, key: K, value: V): void {
    this.#entries.push({ map: map as Map<unknown, unknown>, key, before: map.get(key) });
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    if (before === undefined) return;
    this.#entries.push({ map: map as Map<unknown, unknown>, key, before });
    map.delete(key);
  }

  keep(): void {
    this.#entries = [];
  }

  /** Takes everything since the last `keep` back, the newest first. */
  undo(): void {
    for (const { map, key, before } of this.#entries.reverse()) {
      if (before === undefined) map.delete(key);
      else map.set(key, before);
    }
    this.#entries = [];
  }
}
