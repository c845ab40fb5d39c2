import { CutoverError, type JsonObject } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { BackMap } from "../cutover/crossing-options.ts";
import { differs, Equality } from "../cutover/equality.ts";
import { Stream } from "../cutover/stream.ts";
import { streamNames } from "../cutover/stream-names.ts";
import { TouchedSides } from "../cutover/touched-sides.ts";
import { confirmTouched } from "../verify/confirm-touched.ts";
import { firstOf } from "./compared.ts";
import { groundOf } from "./crossing-setting.ts";
import { jobOf, type OpenedPair, type Pair, pairInput } from "./pair.ts";
import { count, rowsText } from "./step-progress.ts";

/** Whether the new side is in charge by a cutover of this run, and keeps its log for the way back. */
export async function leadsBack(
  context: StepContext,
  pair: Pair,
  { source, target }: Pick<OpenedPair, "source" | "target">,
): Promise<boolean> {
  const { new: there, old: back } = streamNames(jobOf(context, pair));
  // Both streams are there while a crossing is being made: then the old side is still in charge, or nobody writes.
  if ((await target.checkpoint(there.job)) !== undefined) return false;
  return (await source.checkpoint(back.job)) !== undefined;
}

/**
 * Compares both sides after a cutover, while applications write to the new one: what they write is brought to the old side first, and
 * again before a difference counts.
 *
 * @throws CUTOVER_DATA_DIFFERS with the first few; CUTOVER_DATA_UNMAPPED when too many rows have no way back
 */
export async function compareBack(
  context: StepContext,
  pair: Pair,
  back: BackMap | undefined,
  both: OpenedPair,
): Promise<JsonObject> {
  const ground = await groundOf(context, { pair, back }, both);
  const [stream, equality, touched] = [
    new Stream(ground, "old"),
    new Equality(ground, "old"),
    new TouchedSides("old"),
  ];
  const caughtUp = (): Promise<void> => stream.catchUp(touched.touched, context.signal);
  ground.tell({ type: "part", words: "brings the old side up to date" });
  await caughtUp();
  touched.begin();
  ground.tell({ type: "part", words: "compares both sides" });
  const found = await equality.everythingBack(context.signal, { caughtUp, touched: touched.live });
  const looked =
    pair.map === undefined
      ? { looked: 0, differences: [], unsettled: 0 }
      : await confirmTouched({ touched, look: (places) => equality.look(places, context.signal), caughtUp });
  if (looked === undefined)
    throw new CutoverError("CUTOVER_DATA_DIFFERS", {
      message: "expected fewer rows to be written during the verification than are remembered, found more",
      place: both.target.name,
      remedy: "verify again when less is written",
    });
  const differences = [...found.differences, ...looked.differences];
  const unsettled = found.unsettled + looked.unsettled;
  const equal = found.equal && differences.length === 0 && unsettled === 0;
  const facts: JsonObject = {
    ...pairInput(pair),
    equal,
    follows: "old",
    seed: found.seed,
    source: { ...found.digests.old },
    target: { ...found.digests.new },
    differences: differences.length,
    looked: looked.looked,
    unsettled,
    setAside: stream.aside,
    first: firstOf({ differences }),
  };
  await context.evidence(`verification of ${both.source.name}, which follows ${both.target.name}`, facts);
  if (!equal) throw differs(ground, differences, "after what was written on the new side was brought back");
  return {
    note: `${rowsText(found.digests.new.count)} · 0 differ · the old side follows the new one${stream.aside > 0 ? ` · ${count(stream.aside)} set aside on it` : ""}`,
    ...facts,
  };
}
