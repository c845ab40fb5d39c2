import { CutoverError } from "../../src/core/index.ts";
import type { OrderStore, Store } from "../../src/store/index.ts";

export const refused = (): Promise<never> =>
  Promise.reject(new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "the disk is away" }));
export const unanswered = (): Promise<never> => new Promise(() => {});

/**
 * The same store, with some of its order calls replaced.
 * @param calls those that are other ones now; asked at each call, and given the store's own
 */
export function replacing(store: Store, calls: (own: OrderStore) => Partial<OrderStore>): Store {
  const orders = new Proxy(store.orders, {
    get: (own, name: keyof OrderStore) => calls(own)[name] ?? own[name].bind(own),
  });
  return new Proxy(store, {
    get: (own, name: keyof Store) => (name === "orders" ? orders : own[name]),
  });
}

/** The same store, with some of its order calls failing while told to. */
export const failing = (
  store: Store,
  broken: () => readonly (keyof OrderStore)[],
  how: () => Promise<never> = refused,
): Store => replacing(store, () => Object.fromEntries(broken().map((name) => [name, how])));
