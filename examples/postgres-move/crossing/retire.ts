import { type Step, step } from "cutover";
import { withPool } from "../service/pool.ts";
import { addresses } from "./addresses.ts";

/** Puts the old tables away under another name, where nobody finds them by accident; the backup stays. */
export function retireOldShop(dir: string): Step {
  return step("retire-old-shop", {
    irreversible: true,
    summary: "renames the old schema to shop_retired",
    estimate: "1s",
    timeout: "1m",
    run: async () => {
      await withPool(addresses(dir).oldShop, (pool) =>
        // Again after a crash: done already.
        pool.query(`DO $$ BEGIN
          IF to_regnamespace('shop') IS NOT NULL THEN
            SET LOCAL lock_timeout = '10s';
            ALTER SCHEMA shop RENAME TO shop_retired;
          END IF;
        END $$`),
      );
      return { note: "the old tables are shop_retired now" };
    },
  });
}
