import { fileSwitch, type Switch, type SwitchRef } from "cutover/data";
import { ask } from "../engine/client.ts";
import { places } from "../engine/places.ts";
import { near } from "./work-folder.ts";

/** The pause must not wait longer than this for it: half of what a pause may last. On a busy machine two seconds were too few. */
const limitMs = 5_000;

/**
 * The switch that the engine follows. Before it turns to the other side, the engine notes what both sides hold (`engine/witness.ts`):
 * it is the moment in which neither takes writes and all is applied.
 */
export function witnessedSwitch(dir: string): SwitchRef {
  const { switch: folder } = places(near(dir));
  return {
    name: `switch:${folder}`,
    open: (): Switch => {
      const kept = fileSwitch(folder, { create: true, by: "migration layered-memory" });
      return {
        name: kept.name,
        read: () => kept.read(),
        follow: (options) => kept.follow(options),
        turn: async (to) => {
          if ((await kept.read()).side !== to.side)
            await ask(dir, "POST", "/witness", to, limitMs).catch(() => {
              // An engine that is gone stops no turn: the account at the end says that nobody was witness, and holds the end against other things.
            });
          await kept.turn(to);
        },
      };
    },
  };
}
