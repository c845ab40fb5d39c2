import { describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import { type MemoryContents, openMemoryStore } from "./memory.ts";

const subject = (contents: MemoryContents = new Map()): ConnectorSubject<CapturedStore> => {
  const store = openMemoryStore({ contents });
  return {
    store,
    collection: "",
    write: (changes, epoch) => store.write(changes, { epoch }),
    reopen: () => Promise.resolve(subject(contents)),
  };
};

connectorContract("memory", () => Promise.resolve(subject()), { describe, expect, test });

test("a memory store that was closed says so", async () => {
  const store = openMemoryStore();
  await store[Symbol.asyncDispose]();
  await expect(store.head()).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
});
