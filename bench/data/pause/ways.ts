/** How an application writes while its data crosses. */
import {
  type CapturedStore,
  followSwitch,
  type LevelStore,
  movable,
  postgresSides,
  storeSides,
  type Switch,
} from "../../../src/data/index.ts";
import { pgPool } from "../peers.ts";
import { newKey, newValue, oldValue } from "./maps.ts";

/** What it writes through, whichever side is in charge. */
export interface Way {
  put(key: string, value: string): Promise<void>;
  /** What was written under these keys, as the new side has it. */
  onNew(keys: readonly string[]): Promise<readonly (string | undefined)[]>;
  close(): Promise<void>;
}

export async function plainWay(kept: Switch, old: LevelStore, fresh: CapturedStore): Promise<Way> {
  const db = await movable({ switch: kept, old, new: fresh });
  return {
    put: (key, value) => db.put(Buffer.from(key), Buffer.from(value)),
    onNew: async (keys) => {
      const found = await fresh.get(
        "",
        keys.map((key) => Buffer.from(key)),
      );
      return found.map((value) => (value === undefined ? undefined : Buffer.from(value).toString()));
    },
    close: () => db.close(),
  };
}

export async function mappedWay(kept: Switch, old: LevelStore, fresh: CapturedStore): Promise<Way> {
  const sides = await storeSides({ switch: kept, old, new: fresh });
  return {
    put: (key, value) =>
      sides.run(({ side, db }) =>
        side === "old"
          ? db.put(Buffer.from(key), Buffer.from(value))
          : db.put(newKey(Buffer.from(key)), newValue(Buffer.from(value))),
      ),
    onNew: async (keys) => {
      const found = await fresh.get(
        "",
        keys.map((key) => newKey(Buffer.from(key))),
      );
      return found.map((value) => (value === undefined ? undefined : oldValue(value).toString()));
    },
    close: () => sides.close(),
  };
}

/** Each write a transaction of its own. */
export async function sqlWay(kept: Switch, from: string, to: string, mapped: boolean): Promise<Way> {
  const follower = await followSwitch(kept);
  const pools = { old: await pgPool(from), new: await pgPool(to) };
  const sides = postgresSides({ follower, ...pools });
  const put = (status: string): string =>
    `INSERT INTO items SELECT $1, 1, ${status}, 1, $2, now() ON CONFLICT (id) DO UPDATE SET body = excluded.body`;
  const statements = { old: put("'paid'"), new: put(mapped ? "2" : "'paid'") };
  return {
    put: (key, value) =>
      sides.transaction(async (client, { side }) => {
        await client.query(statements[side], [idOf(key), value]);
      }),
    onNew: async (keys) => {
      const { rows } = await pools.new.query("SELECT id, body FROM items WHERE id = ANY($1::bigint[])", [
        keys.map(idOf),
      ]);
      const found = new Map(rows.map(({ id, body }) => [Number(id), String(body)]));
      return keys.map((key) => found.get(idOf(key)));
    },
    close: async () => {
      await follower.close();
      await Promise.all([pools.old.end(), pools.new.end()]);
    },
  };
}

/** Tables count from 1 on. */
const idOf = (key: string): number => Number(key.slice("key:".length)) + 1;
