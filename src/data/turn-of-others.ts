import { setImmediate } from "node:timers/promises";

/**
 * Timers, sockets and signals have their turn. A store that answers at once (LMDB, SQLite) would be read to its end without one
 * otherwise: 300,000 rows took half a second in which no lease was renewed. Costs some microseconds, so once for each batch.
 */
export const turnOfOthers = (): Promise<void> => setImmediate();
