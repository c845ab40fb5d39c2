import { CutoverError, type JsonObject } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { formatSize } from "../size.ts";

/**
 * Work that took more memory than its order asked for. Not tried again: the same work would take the same memory, and
 * each attempt of it presses on whatever runs beside it.
 * @param found bytes; undefined when it is only known that the limit was met
 */
export function memoryError(
  order: OrderRecord,
  found: number | undefined,
  details: JsonObject = {},
): CutoverError {
  const { id, memory } = order;
  const took = found === undefined ? "reached its limit of" : `took ${formatSize(found)}, more than its`;
  return new CutoverError("CUTOVER_ORDER_MEMORY", {
    message: `work order ${id} ${took} ${formatSize(memory)} of memory, and was ended`,
    details: { id, limit: memory, ...(found === undefined ? {} : { found }), ...details, class: "fatal" },
  });
}
