import { join } from "node:path";

/** The rooms under test: the sources, or what was built of them. */
export interface Rooms {
  readonly queue: typeof import("../../src/queue/index.ts");
  readonly store: typeof import("../../src/store/index.ts");
}

export async function loadRooms(built: string | undefined): Promise<Rooms> {
  const room = (name: string): Promise<unknown> =>
    import(built === undefined ? `../../src/${name}/index.ts` : join(built, name, "index.js"));
  return { queue: (await room("queue")) as Rooms["queue"], store: (await room("store")) as Rooms["store"] };
}
