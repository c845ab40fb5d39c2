import type { Log } from "../core/index.ts";
import { createEngine, type Engine, type RunHandle } from "../engine/index.ts";
import type { Doors, OwnerServer } from "../server/index.ts";
import { livingDeclarations, type Ownership, type Store } from "../store/index.ts";
import { carrierOf, openStore, type StorePlace, takeFolder } from "./reach-store.ts";

/** This process as the owner of a store, or as one of many on a shared one: lock, store and engine, and, once a run is under way, the server. */
export interface Session extends AsyncDisposable {
  readonly store: Store;
  readonly engine: Engine;
  /** Begins to answer for `handle` on the folder's socket; doors and other commands find it from then on. */
  serve(handle: RunHandle): Promise<void>;
}

/** How often a carrier of a shared store looks for decisions of others, where the store does not tell of them. */
export const hearEveryMs = 1_000;

/**
 * Owns the folder and opens everything a run needs; what was opened is closed again, last first.
 * @throws CUTOVER_STORE_OWNED when another process owns it
 */
export async function openSession(place: StorePlace, log: Log): Promise<Session> {
  const { clock, pid, version, store: dir } = place;
  await using opened = new AsyncDisposableStack();
  const ownership: Ownership | undefined =
    place.shared === undefined ? opened.use(await takeFolder(place)) : undefined;
  const store = opened.use(await openStore(place, log));
  // Filled when the server is there; until then nobody can have declared anything.
  let doors: Doors | undefined;
  const engine = createEngine({
    store,
    clock,
    log,
    dir,
    ...carrierOf(place),
    ...(ownership === undefined ? { hearEveryMs } : {}),
    declarations: (route) =>
      // Doors of a shared store speak to a server or to the store, never to this process.
      ownership === undefined ? livingDeclarations(store, route) : (doors?.declarations(route) ?? []),
    // Loaded with the first reading: only runs that watch memory need it.
    readMemory: async () => {
      const { machineMemory } = await import("../queue/index.ts");
      const { used, limit } = machineMemory();
      return used / limit;
    },
  });
  const all = opened.move();
  return {
    store,
    engine,
    async serve(handle) {
      // A shared store has no socket: others speak to this process through the record.
      if (ownership === undefined) return;
      // Not needed before the first step runs, and not small: loaded after it.
      const { createOwnerServer } = await import("../server/index.ts");
      const run = (id: string): RunHandle | undefined => (id === handle.id ? handle : undefined);
      const server: OwnerServer = all.use(
        await createOwnerServer({ store, dir, clock, log, pid, version, run }),
      );
      doors = server.doors;
      ownership.announce({ socket: server.socket });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
