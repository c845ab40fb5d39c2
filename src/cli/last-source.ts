import { readStore, type StorePlace } from "./reach-store.ts";

/** Where the definition of the newest run was loaded from, relative to the project; undefined without a run. */
export async function lastSource(place: StorePlace): Promise<string | undefined> {
  return await readStore(place, async (store) => (await store.runs.list())[0]?.source);
}
