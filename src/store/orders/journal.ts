/** Changes of maps that can be taken back: one call of a batch is refused, the others stay. */
export class Journal {
  /** Three places a change: the map, the key, what stood there. An object for each would be garbage right after. */
  readonly #changes: unknown[] = [];

  set<K, V extends {} | null>(map: Map<K, V>, key: K, value: V): void {
    this.#changes.push(map, key, map.get(key));
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    if (before === undefined) return;
    this.#changes.push(map, key, before);
    map.delete(key);
  }

  keep(): void {
    this.#changes.length = 0;
  }

  /** Takes everything since the last `keep` back, the newest first. */
  undo(): void {
    const changes = this.#changes;
    for (let at = changes.length - 3; at >= 0; at -= 3) {
      const map = changes[at] as Map<unknown, unknown>;
      const before = changes[at + 2];
      if (before === undefined) map.delete(changes[at + 1]);
      else map.set(changes[at + 1], before);
    }
    changes.length = 0;
  }
}
