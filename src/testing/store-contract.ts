import type { Clock } from "../core/index.ts";
import type { Store } from "../store/index.ts";
import { ManualClock } from "./manual-clock.ts";
import { careContract } from "./store-contract/care.ts";
import { claimContract } from "./store-contract/claims.ts";
import { dependencyContract } from "./store-contract/dependencies.ts";
import { editedOrdersContract } from "./store-contract/edited-orders.ts";
import { editedRowsContract } from "./store-contract/edited-rows.ts";
import { eventContract } from "./store-contract/events.ts";
import { inboxContract } from "./store-contract/inbox.ts";
import { leaseContract } from "./store-contract/leases.ts";
import { limitContract } from "./store-contract/limits.ts";
import { modelContract } from "./store-contract/model-walk.ts";
import { orderContract } from "./store-contract/orders.ts";
import { rebuildContract } from "./store-contract/rebuild.ts";
import { routeContract } from "./store-contract/routes.ts";
import { runContract } from "./store-contract/runs.ts";
import type { CallersTransaction, ContractTools, StoreCase, Tamper } from "./store-contract/tools.ts";

export type { CallersTransaction, ContractTools, Tamper } from "./store-contract/tools.ts";

/**
 * Declares the tests every `Store` must pass. Each test opens an empty store of its own and closes it.
 *
 * `open` is handed the clock the store must use for lease time and for the times of events.
 * `options.callersTransaction` opens a connection beside the store's, for `submitWithin`; `options.tamper` changes its
 * database by another hand, for what has to be noticed then.
 * `tools` are the functions of the test runner; those of vitest and of jest have this shape.
 *
 * @example
 * import { describe, expect, test } from "vitest";
 * import { storeContract } from "cutover/testing";
 *
 * storeContract("my store", (clock) => openMyStore({ clock }), { describe, expect, test });
 */
export function storeContract(
  name: string,
  open: (clock: Clock) => Promise<Store>,
  tools: ContractTools,
  options: { readonly callersTransaction?: CallersTransaction; readonly tamper?: Tamper } = {},
): void {
  const withStore = (title: string, body: (given: StoreCase) => Promise<void>): void =>
    tools.test(title, async () => {
      const clock = new ManualClock();
      const store = await open(clock);
      try {
        await body({ store, clock });
      } finally {
        await store.close();
      }
    });
  const given = {
    ...tools,
    withStore,
    callersTransaction: options.callersTransaction,
    tamper: options.tamper,
  };
  tools.describe(`store contract: ${name}`, () => {
    runContract(given);
    routeContract(given);
    orderContract(given);
    leaseContract(given);
    claimContract(given);
    limitContract(given);
    dependencyContract(given);
    inboxContract(given);
    modelContract(given);
    careContract(given);
    eventContract(given);
    rebuildContract(given);
    editedRowsContract(given);
    editedOrdersContract(given);
  });
}
