/**
 * Orders and circles of "comes after" relations between names. Used for phases, units and steps alike.
 * A name that `after` mentions but the map does not hold is ignored: unknown names are another problem.
 */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

/**
 * Names so that each comes after all it depends on; among those that could come next, the one listed first.
 * Names on or behind a circle are missing from the result.
 */
export function topologicalOrder(after: Dependencies): readonly string[] {
  if (isOrdered(after)) return [...after.keys()];
  const waiting = new Map<string, number>();
  const followers = new Map<string, string[]>();
  for (const [name, before] of after) {
    const known = new Set(before.filter((other) => after.has(other)));
    waiting.set(name, known.size);
    for (const other of known) {
      const list = followers.get(other);
      if (list === undefined) followers.set(other, [name]);
      else list.push(name);
    }
  }
  const position = new Map([...after.keys()].map((name, index) => [name, index]));
  const ready = new MinQueue();
  for (const [name, count] of waiting) if (count === 0) ready.push(position.get(name) ?? 0);
  const names = [...after.keys()];
  const order: string[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    const name = names[next] ?? "";
    order.push(name);
    for (const follower of followers.get(name) ?? []) {
      const left = (waiting.get(follower) ?? 0) - 1;
      waiting.set(follower, left);
      if (left === 0) ready.push(position.get(follower) ?? 0);
    }
  }
  return order;
}

/** True when the names are listed in such an order already, as most steps are: then that is the answer. */
function isOrdered(after: Dependencies): boolean {
  const seen = new Set<string>();
  for (const [name, before] of after) {
    for (const other of before) if (!seen.has(other) && after.has(other)) return false;
    seen.add(name);
  }
  return true;
}

/** For each name, 0 when it waits for nothing, else one more than the highest it waits for. */
export function layerOf(
  after: Dependencies,
  order: readonly string[] = topologicalOrder(after),
): ReadonlyMap<string, number> {
  const layer = new Map<string, number>();
  for (const name of order) {
    let highest = -1;
    for (const other of after.get(name) ?? []) highest = Math.max(highest, layer.get(other) ?? -1);
    layer.set(name, 1 + highest);
  }
  return layer;
}

/**
 * One shortest circle for each knot of names that wait for each other, in the order of execution and closed:
 * `["backfill", "verify", "repair", "backfill"]` when backfill comes after repair. Starts at the name listed first.
 */
export function findCycles(after: Dependencies): readonly (readonly string[])[] {
  if (isOrdered(after)) return [];
  const ordered = new Set(topologicalOrder(after));
  const cycles: string[][] = [];
  const seen = new Set<string>();
  for (const name of after.keys()) {
    if (ordered.has(name) || seen.has(name)) continue;
    const path = shortestCircle(name, after);
    if (path === undefined || path.some((other) => seen.has(other))) continue;
    for (const other of path) seen.add(other);
    cycles.push(path);
  }
  return cycles;
}

/** Breadth-first from `start` against the arrows until it meets itself. */
function shortestCircle(start: string, after: Dependencies): string[] | undefined {
  const towards = new Map<string, string>();
  let edge = [start];
  while (edge.length > 0) {
    const next: string[] = [];
    for (const name of edge) {
      for (const before of after.get(name) ?? []) {
        if (before === start) return walk(start, name, towards);
        if (towards.has(before) || !after.has(before)) continue;
        towards.set(before, name);
        next.push(before);
      }
    }
    edge = next;
  }
  return undefined;
}

function walk(start: string, last: string, towards: ReadonlyMap<string, string>): string[] {
  const path = [start];
  for (let name: string | undefined = last; name !== undefined && name !== start; name = towards.get(name))
    path.push(name);
  return [...path, start];
}

/** Binary heap of numbers: a plan of 10,000 steps is ordered in milliseconds. */
class MinQueue {
  readonly #heap: number[] = [];

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] ?? 0) <= value) break;
      heap[at] = heap[parent] ?? 0;
      at = parent;
    }
    heap[at] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      if ((heap[child] ?? 0) >= last) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
