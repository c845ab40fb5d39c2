/** Every ring of orders, as long as those of the rings before are left out. */
export function findCycles(
  orders: readonly { readonly id: string; readonly after: readonly string[] }[],
  idOf: ReadonlyMap<string, string>,
): readonly (readonly string[])[] {
  const rings: (readonly string[])[] = [];
  let left = orders;
  for (let ring = findCycle(left, idOf); ring.length > 0; ring = findCycle(left, idOf)) {
    const inRing = new Set(ring);
    rings.push(ring);
    left = left.filter(({ id }) => !inRing.has(id));
  }
  return rings;
}

/**
 * A ring of orders that wait for each other, in the order of waiting; empty when there is none. Only orders of one
 * call can form one: what is stored already waits for nothing that comes later.
 * @param idOf under which id an order of the call is stored
 */
function findCycle(
  orders: readonly { readonly id: string; readonly after: readonly string[] }[],
  idOf: ReadonlyMap<string, string>,
): readonly string[] {
  const after = new Map(orders.map((order) => [order.id, order.after.map((id) => idOf.get(id) ?? id)]));
  const done = new Set<string>();
  for (const { id: start } of orders) {
    // By hand instead of by recursion: a chain of 10,000 orders is deeper than the stack.
    const path: { id: string; next: number }[] = [{ id: start, next: 0 }];
    const onPath = new Set([start]);
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const to = done.has(step.id) ? undefined : after.get(step.id)?.[step.next++];
      if (to === undefined) {
        done.add(step.id);
        onPath.delete(step.id);
        path.pop();
      } else if (onPath.has(to)) {
        return path.slice(path.findIndex(({ id }) => id === to)).map(({ id }) => id);
      } else if (after.has(to)) {
        path.push({ id: to, next: 0 });
        onPath.add(to);
      }
    }
  }
  return [];
}
