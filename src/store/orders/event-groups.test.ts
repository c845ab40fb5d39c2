import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ordersTold } from "../orders-told.ts";
import { EventGroups, type Told } from "./event-groups.ts";

const moved = (id: string, event: string, note = ""): Told => ({
  type: "orders.transition",
  event,
  entry: { attempt: 0, fence: 1, from: "PENDING", id, note, to: "RUNNING", worker: null },
});

/** What the events tell of one order, in their sequence. */
function toldOf(groups: EventGroups, id: string): string[] {
  return groups.events().flatMap(({ event }) => {
    if (event.type !== "orders.transition") return [];
    return ordersTold(event.data)
      .filter((order) => order.id === id)
      .map(({ note }) => `${event.data.event} ${note}`);
  });
}

describe("events of one commit", () => {
  test("tell of all orders that underwent the same", () => {
    const groups = new EventGroups();
    const places = ["a", "b", "c"].flatMap((id) => [
      groups.add("queue:q", moved(id, "claimed")),
      groups.add("queue:q", moved(id, "started")),
    ]);
    expect(places).toEqual([0, 1, 0, 1, 0, 1]);
    expect(groups.add("queue:p", moved("d", "claimed"))).toBe(2);
    expect(groups.events().map(({ stream }) => stream)).toEqual(["queue:q", "queue:q", "queue:p"]);
  });

  test("keep the sequence of what happened to each order", () => {
    const happened = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("x", "y", "z")), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(happened, (list) => {
        const groups = new EventGroups();
        list.forEach(([id, event], n) => groups.add("queue:q", moved(id, event, String(n))));
        for (const id of ["a", "b", "c", "d"]) {
          const expected = list.flatMap(([of, event], n) => (of === id ? [`${event} ${n}`] : []));
          expect(toldOf(groups, id)).toEqual(expected);
        }
      }),
    );
  });

  test("come after those of the orders they concern", () => {
    const groups = new EventGroups();
    groups.add("queue:q", moved("x", "claimed"));
    groups.add("queue:q", moved("leader", "completed"));
    expect(groups.add("queue:q", moved("follower", "claimed"))).toBe(0);
    const other = new EventGroups();
    other.add("queue:q", moved("x", "claimed"));
    other.add("queue:q", moved("leader", "completed"), ["follower"]);
    expect(other.add("queue:q", moved("follower", "claimed"))).toBe(2);
  });

  test("hold five hundred orders or a megabyte at most", () => {
    const groups = new EventGroups();
    for (let n = 0; n < 1_001; n++) groups.add("queue:q", moved(`o${n}`, "claimed"));
    expect(groups.events().length).toBe(3);
    const large = new EventGroups();
    for (let n = 0; n < 6; n++) {
      const told = moved(`o${n}`, "completed");
      const set = { result: { text: "x".repeat(300_000), list: [1, null, "y"] } };
      if (told.type === "orders.transition") large.add("queue:q", { ...told, entry: { ...told.entry, set } });
    }
    expect(large.events().length).toBe(2);
  });

  test("stay as they are, but for the newest", () => {
    const groups = new EventGroups();
    expect(groups.eventsBeforeNewest()).toEqual([]);
    for (let n = 0; n < 501; n++) groups.add("queue:q", moved(`o${n}`, "claimed"));
    const before = groups.eventsBeforeNewest();
    groups.add("queue:q", moved("o501", "claimed"));
    expect(before).toEqual(groups.events().slice(0, 1));
  });
});
