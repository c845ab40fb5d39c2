import { describe, expect, test } from "vitest";
import type { WorkOrder } from "../old/work-order.ts";
import { settleAccount } from "./account.ts";

const order = (id: string, status: WorkOrder["status"]): WorkOrder => ({ id, status }) as WorkOrder;
const line = (event: "begin" | "end", id: string, exit: number | null, side: "old" | "new" = "old") => ({
  event,
  id,
  attempt: 1,
  key: id,
  side,
  exit,
});

describe("the account", () => {
  test("counts an order once when its work took effect once", () => {
    const ledger = [line("begin", "a", null), line("end", "a", 75), line("end", "a", 0, "new")];
    const account = settleAccount([order("a", "succeeded")], ledger, ["a"], []);
    expect(account).toMatchObject({ in: 1, finishedOnce: 1, lost: [], twice: [], done: { old: 0, new: 1 } });
  });

  test("finds an order whose work took effect on both sides", () => {
    const ledger = [line("begin", "a", null), line("end", "a", 0), line("end", "a", 0, "new")];
    const account = settleAccount([order("a", "succeeded")], ledger, ["a"], []);
    expect(account).toMatchObject({ finishedOnce: 0, twice: ["a"] });
  });

  test("calls lost what was accepted and is unknown, has not ended, or succeeded without a trace of work", () => {
    const orders = [order("waits", "queued"), order("claimed", "succeeded"), order("failed", "failed")];
    const account = settleAccount(orders, [], ["unknown", "waits", "claimed", "failed"], []);
    expect(account.lost.toSorted()).toEqual(["claimed", "unknown", "waits"]);
    expect(account).toMatchObject({ in: 4, finishedOnce: 1 });
  });

  test("leaves out what was damaged before, and trusts what had ended before the ledger began", () => {
    const orders = [order("history", "succeeded"), order("damaged", "queued")];
    const account = settleAccount(orders, [], [], ["damaged"]);
    expect(account).toMatchObject({ in: 1, finishedOnce: 1, lost: [], aside: ["damaged"] });
  });
});
