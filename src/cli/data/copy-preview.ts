import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CutoverError, isCutoverError } from "../../core/index.ts";
import {
  type Collection,
  type DataStore,
  keyText,
  type LookedAt,
  lookAtTarget,
  requireColumnOrder,
} from "../../data/index.ts";
import { count, plural } from "../../report/index.ts";
import type { CommandContext } from "../command.ts";
import { bytesText } from "../draw/data-lines.ts";
import { openStore, openTarget, shownAddress } from "./open-address.ts";
import { orTellInto, pairsOf } from "./renaming.ts";
import type { Progress } from "../progress.ts";

/** Rows that cannot go are named up to here; all are counted. */
const named = 5;

/** What a copy would find at the target, before its first write. */
type There = "will be made" | "empty" | "goes on with an earlier copy";

interface Part {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface CopyPreview {
  readonly there: There;
  readonly parts: readonly Part[];
  readonly refused: { readonly rows: number; readonly first: readonly string[] };
}

/**
 * Reads all rows of the source, and asks the target what it could not hold. Writes nothing to either: where there is no target yet, one
 * of its kind that is made for this in the temporary folder is asked. What a target of tables refuses is known only when it is written.
 * @throws as the copy would before its first write: CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_COLLECTION, what opening throws
 */
export async function copyPreview(
  context: CommandContext,
  sides: { readonly source: DataStore; readonly chosen: readonly Collection[] },
  to: {
    readonly address: string;
    /** What the collections are called there, in the order of `chosen`. */
    readonly names: readonly string[];
    readonly job: (target: Pick<DataStore, "name">) => string;
  },
  progress: Progress,
): Promise<CopyPreview> {
  const { names } = to;
  const known = await orTellInto(
    context,
    sides.chosen.map(({ name }) => name),
    () => opened(to.address, names),
  );
  await using target = known;
  const there = target === undefined ? "will be made" : await standing(target, names, to.job(target));
  if (target !== undefined) await requireColumnOrder(sides.source, target, pairsOf(sides.chosen, names));
  // What lies there and is only looked at cannot be asked: one of its kind is.
  const kind = target?.refusal === undefined ? kindMade(to.address) : undefined;
  if (kind === undefined) return { there, ...(await readThrough(context, sides, names, target, progress)) };
  const dir = await mkdtemp(join(tmpdir(), "cutover-preview-"));
  try {
    await using scratch = await openTarget(`${kind}:${join(dir, "store")}`, names);
    return { there, ...(await readThrough(context, sides, names, scratch, progress)) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Kind of a store that is made by opening it to be written; undefined: tables, and what others have open. */
const kindMade = (address: string): string | undefined => /^(leveldb|lmdb|files):/.exec(address)?.[1];

/** Undefined when there is no such store yet. */
async function opened(address: string, names: readonly string[]): Promise<LookedAt | undefined> {
  // To open it with these names would make them there.
  if (kindMade(address) !== undefined) return (await lookAtTarget(address, names)).store;
  try {
    return await openStore(address, { collections: names });
  } catch (error) {
    if (!isCutoverError(error) || error.code !== "CUTOVER_DATA_MISSING") throw error;
    const [table] = names;
    if (!address.startsWith("sqlite:") || table === undefined) return undefined;
    // The copy would be refused as well: a file that is made has no tables.
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected a table of ${address}, found "${table}", which it does not have`,
      place: address,
      details: { collection: table },
    });
  }
}

async function standing(target: LookedAt, names: readonly string[], job: string): Promise<There> {
  if ((await target.checkpoint?.(job)) !== undefined) return "goes on with an earlier copy";
  const there = await target.collections();
  for (const name of names) {
    const found = there.find((each) => each.name === name);
    if (found === undefined) continue;
    if (found.problem !== undefined)
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `expected a collection of ${target.name} that rows can be written to, found "${name}": ${found.problem}`,
        place: target.name,
        details: { collection: name },
      });
    for await (const rows of target.scan({ collection: name }))
      if (rows.length > 0)
        throw new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
          message: `expected no rows in "${name}" of ${target.name}, found some: after the copy nobody could tell which are whose`,
          place: target.name,
          details: { collection: name },
        });
  }
  return "empty";
}

async function readThrough(
  context: CommandContext,
  { source, chosen }: { readonly source: DataStore; readonly chosen: readonly Collection[] },
  names: readonly string[],
  target: LookedAt | undefined,
  progress: Progress,
): Promise<Pick<CopyPreview, "parts" | "refused">> {
  const parts: Part[] = [];
  const first: string[] = [];
  let refused = 0;
  for (const [index, { name, rows: about }] of chosen.entries()) {
    const collection = names[index] ?? name;
    progress.part("read", about);
    let [rows, bytes] = [0, 0];
    for await (const batch of source.scan({ collection: name })) {
      context.interrupted.throwIfAborted();
      let size = 0;
      for (const { key, value } of batch) {
        size += key.length + value.length;
        const why = target?.refusal?.({ collection, key, value });
        if (why === undefined) continue;
        refused++;
        if (first.length < named) first.push(`${name === "" ? "" : `${name} `}${keyText(key)}: ${why}`);
      }
      rows += batch.length;
      bytes += size;
      progress.add(batch.length, size);
    }
    parts.push({ name, rows, bytes });
  }
  return { parts, refused: { rows: refused, first } };
}

/** Prints it. The exit code: 0 when the copy can begin, 4 when rows cannot go. */
export function showPreview(
  { terminal, json }: CommandContext,
  from: string,
  to: string,
  { there, parts, refused }: CopyPreview,
): number {
  const rows = parts.reduce((sum, each) => sum + each.rows, 0);
  const code = refused.rows === 0 ? 0 : 4;
  if (json) {
    terminal.json({ from, to: shownAddress(to), target: there, rows, collections: parts, refused });
    return code;
  }
  const bytes = parts.reduce((sum, each) => sum + each.bytes, 0);
  terminal.line(
    `${from} → ${shownAddress(to)} (${there}) · ${plural(rows, "row")} · ${bytesText(bytes)} (nothing was touched)`,
  );
  for (const { name, rows: own, bytes: size } of parts)
    if (name !== "") terminal.line(`  ${name}  ${plural(own, "row")} · ${bytesText(size)}`);
  if (refused.rows === 0) return code;
  terminal.line(`✖ ${plural(refused.rows, "row")} cannot go: the copy would stop there`);
  for (const why of refused.first) terminal.line(`    ${why}`);
  if (refused.rows > refused.first.length)
    terminal.line(`    … ${count(refused.rows - refused.first.length)} more`);
  terminal.line("  give them another key or value in a migration: backfill(OLD, NEW, { map })");
  return code;
}
