import { equalBytes, keyText } from "../bytes.ts";
import { imagesOf, type SourceRow } from "../map.ts";
import { preflight } from "./crossing-errors.ts";
import type { Ground } from "./ground.ts";

/** Rows of each collection that are tried. */
const most = 1_000;
/** A row that is written to meanwhile may differ for a moment: it is looked at again. */
const looks = 5;

/** A row of the new side that is not the old row again, and why. */
interface Wrong {
  readonly row: SourceRow;
  readonly why: string;
  /** The old row has become another one since, of which the map makes another row at the same place: nothing can be said. */
  readonly movedOn?: true;
}

/**
 * Rows of the new side through the way back's map: each image has to be on the old side, byte for byte, as nobody has written on the
 * new side yet.
 *
 * @throws CUTOVER_DATA_PREFLIGHT naming a row for which it is not
 */
export async function sampleWayBack(
  ground: Ground,
  caughtUp: () => Promise<void>,
): Promise<{ readonly rows: number }> {
  const { sides, collections, signal } = ground;
  let rows = 0;
  let wrong: readonly Wrong[] = [];
  for (const collection of collections.new) {
    const sample: SourceRow[] = [];
    for await (const batch of sides.new.scan({ collection }, { signal })) {
      for (const row of batch.slice(0, most - sample.length)) sample.push({ collection, ...row });
      if (sample.length >= most) break;
    }
    rows += sample.length;
    wrong = [...wrong, ...(await wrongImages(ground, sample))];
  }
  for (let look = 1; wrong.length > 0; look++) {
    signal.throwIfAborted();
    await caughtUp();
    const again = await readAgain(ground, wrong);
    if (look === looks) {
      // Wrong is what stays as it was after all that the old side had at the look has come over. A row that is written all the time
      // was looked at on both sides at two moments, each time: nothing can be said of it.
      wrong = again.flatMap(({ was, row }) => (equalBytes(was.row.value, row.value) ? [was] : []));
      break;
    }
    wrong = await wrongImages(
      ground,
      again.map(({ row }) => row),
    );
  }
  requireRight(
    ground,
    wrong.filter(({ movedOn }) => movedOn !== true),
  );
  return { rows };
}

/** @throws CUTOVER_DATA_PREFLIGHT when this row is not the old row again */
export async function requireWayBack(ground: Ground, row: SourceRow): Promise<void> {
  requireRight(ground, await wrongImages(ground, [row]));
}

function requireRight({ sides }: Ground, wrong: readonly Wrong[]): void {
  const [first] = wrong;
  if (first === undefined) return;
  const { collection, key } = first.row;
  throw preflight(
    sides.new.name,
    `row ${keyText(key)}${collection === "" ? "" : ` of "${collection}"`} to become the old row again on the way back`,
    first.why,
    "correct `back`; where several old values have one new value, let the map keep originals and use what `back` is given",
  );
}

async function readAgain(
  { sides }: Ground,
  wrong: readonly Wrong[],
): Promise<readonly { readonly was: Wrong; readonly row: SourceRow }[]> {
  const rows: { was: Wrong; row: SourceRow }[] = [];
  for (const was of wrong) {
    const { row } = was;
    const [value] = await sides.new.get(row.collection, [row.key]);
    if (value !== undefined) rows.push({ was, row: { ...row, value } });
  }
  return rows;
}

/** Those of these rows of the new side whose images are not on the old one. */
export async function wrongImages(
  { sides, wayBack, map }: Ground,
  rows: readonly SourceRow[],
): Promise<readonly Wrong[]> {
  if (wayBack === undefined || rows.length === 0) return [];
  const wrong: Wrong[] = [];
  const found = await wayBack.imagesOf(rows);
  const wanted = rows.flatMap((row, index) => {
    const { images = [], aside } = found[index] ?? {};
    if (aside !== undefined) wrong.push({ row, why: `no image: ${aside}` });
    return images.map((image) => ({ row, image }));
  });
  for (const [collection, of] of Map.groupBy(wanted, ({ image }) => image.collection)) {
    const values = await sides.old.get(
      collection,
      of.map(({ image }) => image.key),
    );
    for (const [index, { row, image }] of of.entries()) {
      const value = values[index];
      if (value !== undefined && equalBytes(value, image.value)) continue;
      const there = value === undefined ? "no row" : "another value";
      const old = { collection, key: image.key, value: value ?? image.value };
      const moved = value !== undefined && map !== undefined && leadsTo(imagesOf(map, old).images, row);
      wrong.push({
        row,
        ...(moved ? { movedOn: true } : {}),
        why: `${there} at ${keyText(image.key)} of ${sides.old.name}, where it leads`,
      });
    }
  }
  return wrong;
}

const leadsTo = (images: readonly SourceRow[], { collection, key, value }: SourceRow): boolean =>
  images.some(
    (image) =>
      image.collection === collection && equalBytes(image.key, key) && !equalBytes(image.value, value),
  );
