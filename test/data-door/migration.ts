/**
 * A migration that holds as much of an application as it can, and waits to be killed:
 *
 *   node test/data-door/migration.ts ADDRESS
 */
import { connectData } from "../../src/data/index.ts";

const [address = ""] = process.argv.slice(2);
const store = await connectData(address);
const from = await store.capture("held");
const snapshot = await store.snapshot?.();
const scan = snapshot?.scan({ collection: "" })[Symbol.asyncIterator]();
await scan?.next();
const other = store.scan({ collection: "" })[Symbol.asyncIterator]();
await other.next();
const log = store.log("held", from, { signal: new AbortController().signal })[Symbol.asyncIterator]();
await log.next();
process.stdout.write("holding\n");
await new Promise((resolve) => setTimeout(resolve, 600_000));
