import { CutoverError } from "../core/index.ts";
import { Unproven } from "./unproven.ts";

// Beside the items, not in them: a line that moves in the document must not change the hash of a definition.
const origins = new WeakMap<object, string>();

/**
 * Says which line of a written plan asks for a check, gate, step, phase or trigger: `from("PLAN.md:31", rate.error().below(0.01))`.
 * Gives the same item back. The run records it, so that `cutover report --as plan` can write the item's true state into that
 * line; the hash of the definition does not cover it.
 *
 * @throws CUTOVER_PLAN_INVALID for a place that is not `FILE:LINE`.
 */
export function from<T extends object>(place: string, item: T): T {
  if (typeof place !== "string" || !/^.+:[1-9]\d*$/s.test(place))
    throw new CutoverError("CUTOVER_PLAN_INVALID", {
      message: `expected the place in a written plan, found ${JSON.stringify(place) ?? "nothing"}`,
      place: "from",
      remedy: 'write from("PLAN.md:31", …)',
    });
  if (typeof item !== "object" || item === null)
    throw new CutoverError("CUTOVER_PLAN_INVALID", {
      message: `expected a check, gate, step, phase or trigger, found ${typeof item}`,
      place: `from(${JSON.stringify(place)})`,
      remedy: 'write from("PLAN.md:31", check("backup taken", …))',
    });
  origins.set(item, place);
  return item;
}

/** Where a written plan asks for this item; undefined when nothing says so. */
export function originOf(item: object): string | undefined {
  return origins.get(item) ?? (item instanceof Unproven ? item.from : undefined);
}

/** A copy of an item comes from the same line. */
export function keepOrigin<T extends object>(copy: T, original: object): T {
  const place = origins.get(original);
  if (place !== undefined) origins.set(copy, place);
  return copy;
}
