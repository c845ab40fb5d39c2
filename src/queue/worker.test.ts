import { describe, expect, test } from "vitest";
import type { WorkOrder } from "./sandboxes/in-process.ts";
import { subprocess } from "./sandboxes/subprocess.ts";
import { defineWorker, isWorker, type WorkerInput } from "./worker.ts";

// The schema is part of the address, which whoever carries the worker gives.
const typed: "schema" extends keyof WorkerInput ? never : true = true;

const refused = (place: string): unknown => expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place });

describe("the definition of a worker", () => {
  test("holds its queue, its options and how each kind is done", () => {
    const worker = defineWorker({
      queue: "pictures",
      slots: 4,
      stagger: 0,
      kinds: {
        thumbnail: (order: WorkOrder<{ readonly file: string }>) => order.payload.file,
        transcode: subprocess({ command: () => ({ file: "true" }) }),
        plain: (order, { fence }) => [order.payload, fence],
      },
    });
    expect(worker).toMatchObject({ type: "worker", queue: "pictures", options: { slots: 4, stagger: 0 } });
    expect(Object.keys(worker.kinds)).toEqual(["thumbnail", "transcode", "plain"]);
    expect(isWorker(worker)).toBe(true);
    expect([{}, null, undefined, 1].map(isWorker)).toEqual([false, false, false, false]);
    expect(isWorker({ ...worker })).toBe(true);
    expect(isWorker({ type: "worker", kinds: worker.kinds })).toBe(false);
    expect(isWorker({ type: "worker", queue: "a", options: {} })).toBe(false);
    expect(defineWorker({ kinds: { a: () => 1 } }).queue).toBe("default");
  });

  test("is refused with the member that is wrong", () => {
    expect(() => defineWorker({ kinds: {} })).toThrow(refused("kinds") as Error);
    expect(() => defineWorker({ kinds: {} })).toThrow(/found an empty object/);
    expect(() => defineWorker({ kinds: { "1": () => 1 } })).toThrow(refused("kind") as Error);
    expect(() => defineWorker({ kinds: { a: "b" as never } })).toThrow(refused("kinds.a") as Error);
    expect(() => defineWorker({ slots: 0, kinds: { a: () => 1 } })).toThrow(refused("slots") as Error);
    expect(() => defineWorker({ slot: 1, kinds: { a: () => 1 } } as never)).toThrow(
      refused("options") as Error,
    );
    expect(() => defineWorker({ queue: "a b", kinds: { a: () => 1 } })).toThrow(refused("name") as Error);
    for (const given of ["name", "schema", "clock", "random", "log", "workerId"])
      expect(() => defineWorker({ [given]: "a", kinds: { a: () => 1 } } as never)).toThrow(
        refused(given) as Error,
      );
    expect(() => defineWorker({ name: "a", kinds: { a: () => 1 } } as never)).toThrow(
      expect.objectContaining({ remedy: "name the queue by queue" }) as Error,
    );
    expect(() => defineWorker({ schema: "mine", kinds: { a: () => 1 } } as never)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining("?schema=mine") as string }) as Error,
    );
    expect(typed).toBe(true);
    expect(() => defineWorker(undefined as never)).toThrow(refused("worker") as Error);
  });
});
