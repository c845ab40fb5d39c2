import { isFinished } from "../../src/queue/states.ts";
import { change, recorded } from "./calls.ts";
import type { Step } from "./explorer.ts";
import { judge, type Writer } from "./properties.ts";
import { cancelled, type Rules } from "./rules.ts";
import { type Applied, claimsOf, type World } from "./world.ts";

/** A person cancels, in the two steps of `Queue.cancel`, or requeues. */
export function* peopleSteps(rules: Rules, world: World): Generator<Step<World>> {
  const { now, orders, person } = world;
  const stored = (name: string, applied: Applied, after: World["person"], writer?: Writer): Step<World> => ({
    name: `a person ${name}${applied.refused ? ", refused" : ""}`,
    to: { ...recorded(world, applied), person: after },
    bad: true,
    broken: judge(world, applied, writer),
  });
  for (const order of orders) {
    if (!isFinished(order.state) && !order.cancelRequested && person === undefined) {
      const applied = rules.apply(orders, { do: "cancel", id: order.id, reason: "" }, now);
      yield stored("asks for the end", applied, applied.value[0]);
    }
    if (order.state === "FAILED" || order.state === "WAITING_RETRY") {
      const again = { runAt: now, attempt: 0, crashes: 0, endedAt: null, error: null };
      const set = order.state === "FAILED" ? again : { runAt: now };
      yield stored("requeues", change(rules, world, order, "requeued", set), person);
    }
  }
  if (person === undefined) return;
  if (person.state !== "PENDING" && person.state !== "WAITING_RETRY") {
    yield { name: "a person leaves it to the worker", to: { ...world, person: undefined }, bad: true };
    return;
  }
  const applied = change(rules, world, person, "cancelled", { endedAt: now, error: cancelled });
  const found = orders.find(({ id }) => id === person.id);
  const writer = { name: undefined, claims: claimsOf(world, person.id), id: person.id };
  yield stored("cancels", applied, applied.refused ? found : undefined, applied.refused ? undefined : writer);
}
