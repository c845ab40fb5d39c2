import type { Comparer } from "./compare.ts";
import type { StreamFacts, StreamPair } from "./stream-facts.ts";

/** Pairs of events looked at while equal ones are sought; a stream that is shuffled more than that is not judged. */
const mostTries = 20_000;

/**
 * The events of the new side in the order of the equal ones of the old side, so that only those without an equal one
 * differ. They stand behind the others, on both sides. Undefined when that cannot be told: only the beginning of a
 * side was seen, or too many events would have to be tried.
 */
export function alignEvents(pair: StreamPair, comparer: Comparer): StreamPair | undefined {
  const { events: old } = pair.old;
  const { events: other } = pair.new;
  if (old === undefined || other === undefined) return pair;
  if (!pair.whole) return undefined;
  const left = [...other];
  const oldAlone: unknown[] = [];
  const matchedOld: unknown[] = [];
  const matchedNew: unknown[] = [];
  let tries = 0;
  for (const event of old) {
    const at = left.findIndex((candidate) => {
      if (++tries > mostTries) return false;
      const { differences, complete } = comparer.compare({ events: [event] }, { events: [candidate] });
      return differences.length === 0 && complete;
    });
    if (tries > mostTries) return undefined;
    if (at === -1) {
      oldAlone.push(event);
      continue;
    }
    matchedOld.push(event);
    matchedNew.push(...left.splice(at, 1));
  }
  const facts = (of: StreamFacts, events: readonly unknown[]): StreamFacts => ({ ...of, events });
  return {
    ...pair,
    old: facts(pair.old, [...matchedOld, ...oldAlone]),
    new: facts(pair.new, [...matchedNew, ...left]),
  };
}
