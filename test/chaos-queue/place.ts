import { join } from "node:path";
import { systemClock } from "../../src/core/index.ts";
import type { Store } from "../../src/store/index.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import type { Plan } from "./plan.ts";
import type { Rooms } from "./rooms.ts";

/** Where the orders of a run are stored. */
export interface Place extends AsyncDisposable {
  /** As `openQueue` takes it. */
  readonly where: string;
  readonly server: TestServer | undefined;
  open(): Promise<Store>;
}

export async function makePlace(plan: Plan, folder: string, { store }: Rooms): Promise<Place> {
  if (plan.store === "sqlite") {
    const path = join(folder, "work.db");
    return {
      where: `sqlite:${path}`,
      server: undefined,
      open: () => store.openSqliteStore({ path, clock: systemClock }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const server = await postgresServer();
  return {
    where: server.url(),
    server,
    open: () => store.openPostgresStore({ url: server.url() }),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
