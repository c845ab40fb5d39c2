import { CutoverError } from "../../src/core/index.ts";
import type { OrderStore, Store } from "../../src/store/index.ts";

export const refused = (): Promise<never> =>
  Promise.reject(new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "the disk is away" }));
export const unanswered = (): Promise<never> => new Promise(() => {});

/** The same store, with some of its order calls failing while told to. */
export function failing(
  store: Store,
  broken: () => readonly (keyof OrderStore)[],
  how: () => Promise<never> = refused,
): Store {
  const orders = new Proxy(store.orders, {
    get: (target, name: keyof OrderStore) => (broken().includes(name) ? how : target[name].bind(target)),
  });
  return new Proxy(store, {
    get: (target, name: keyof Store) => (name === "orders" ? orders : target[name]),
  });
}
