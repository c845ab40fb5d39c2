import type { Standing } from "cutover/data";
import { ClassicLevel } from "classic-level";
import { open } from "lmdb";

export interface RawRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What Cutover keeps in a LevelDB lies behind all keys of applications. */
const reserved = Buffer.alloc(24, 0xff);

/**
 * All rows of a side as its database has them, read by the database's own package: nothing of Cutover has a part in it, so that a
 * mistake of its stores, shared by whoever copies and whoever verifies, would be seen. Nobody else has it open.
 */
export async function* rawRows(side: Standing["side"], path: string): AsyncGenerator<RawRow> {
  if (side === "old") {
    const db = new ClassicLevel<Buffer, Buffer>(path, {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
      createIfMissing: false,
    });
    await db.open();
    try {
      for await (const [key, value] of db.iterator({ lt: reserved })) yield { key, value };
    } finally {
      await db.close();
    }
    return;
  }
  const db = open<Buffer, Buffer>({ path, readOnly: true, encoding: "binary", keyEncoding: "binary" });
  try {
    for (const { key, value } of db.getRange()) {
      // Named databases, in which Cutover keeps its own, stand among the rows: their names end with a zero byte.
      if (key.at(-1) !== 0) yield { key: Buffer.from(key), value: Buffer.from(value) };
    }
  } finally {
    await db.close();
  }
}
