import type { DataStore } from "../data/index.ts";
import { applyContract } from "./connector-contract/applying.ts";
import { captureContract } from "./connector-contract/capturing.ts";
import { fenceContract } from "./connector-contract/fencing.ts";
import { keepContract } from "./connector-contract/keeping.ts";
import { packContract } from "./connector-contract/packing.ts";
import { readContract } from "./connector-contract/reading.ts";
import { type ConnectorCase, type ConnectorSubject, opened } from "./connector-contract/subject.ts";
import { walkContract } from "./connector-contract/walk.ts";
import type { ContractTools } from "./store-contract/tools.ts";

export type { ConnectorSubject, OpenTransaction } from "./connector-contract/subject.ts";

/**
 * Declares the tests every connector must pass: what `Source` and `Target` promise, held against a real store. Each test
 * asks `open` for an empty store of its own and closes it.
 *
 * `tools` are the functions of the test runner; those of vitest and of jest have this shape.
 *
 * @example
 * import { describe, expect, test } from "vitest";
 * import { connectorContract } from "cutover/testing";
 *
 * connectorContract("my connector", openEmptyStore, { describe, expect, test });
 */
export function connectorContract<Store extends DataStore>(
  name: string,
  open: () => Promise<ConnectorSubject<Store>>,
  tools: ContractTools,
): void {
  const withSubject = (title: string, body: (given: ConnectorCase) => Promise<void>): void =>
    tools.test(title, async () => {
      const given = opened(await open());
      try {
        await body(given);
      } finally {
        await given.close();
      }
    });
  tools.describe(`connector contract: ${name}`, () => {
    const given = { ...tools, withSubject };
    readContract(given);
    applyContract(given);
    packContract(given);
    keepContract(given);
    captureContract(given);
    fenceContract(given);
    walkContract(given);
  });
}
