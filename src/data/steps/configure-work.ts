import { resolve } from "node:path";
import { CutoverError, faultPoint, formatDuration, type Json, type JsonObject } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { changed } from "./configure-change.ts";
import { differenceLines, inShort, shortened } from "./configure-difference.ts";
import { applied, holds } from "./configure-hooks.ts";
import { keep, type Kept, keptBytes } from "./configure-kept.ts";
import { noRemove, type OpenedPlace, openPlace } from "./configure-place.ts";
import type { ConfigureSetting } from "./configure-setting.ts";
import { finish, save, type Saved, savedOf } from "./saved.ts";
import { count } from "./step-progress.ts";

/** Lines of a difference in the record. */
const recordedLines = 40;

/** Kept before the first change on. */
interface ConfigureSaved extends Saved {
  /** A file's path from the root, so that the way back finds it from wherever it is taken. */
  readonly file?: string;
  /** Null: nothing was there. */
  readonly before: Kept | null;
  readonly after: Kept;
  readonly same: boolean;
  /** From before the write on. */
  readonly writing?: boolean;
  /** From before `apply` on. */
  readonly applying?: boolean;
}

/** What a step works with: the place, what was there and what shall be there. */
interface Work {
  readonly place: OpenedPlace;
  readonly saved: ConfigureSaved;
  readonly before: Buffer | undefined;
  readonly after: Buffer;
}

/** The step's way forward. */
export async function configureNow(context: StepContext, setting: ConfigureSetting): Promise<Json> {
  const { options, name } = setting;
  const work = await begin(context, setting);
  const { place, before, after } = work;
  let { saved } = work;
  if (!saved.same) {
    const now = await place.read();
    if (!same(place, now, after)) {
      if (!same(place, now, before)) throw changedMeanwhile(work, now, "found when the step began");
      saved = await save(context, { ...saved, writing: true });
      await place.write(after, (last) => {
        if (!same(place, last, before)) throw changedMeanwhile(work, last, "found when the step began");
      });
      faultPoint("data.configure.written");
      await readBack(place, after);
    }
    await place.tidy();
  }
  const reloads = !saved.same && options.apply !== undefined;
  if (reloads) {
    saved = await save(context, { ...saved, applying: true });
    await applied(context, setting, after, false);
    faultPoint("data.configure.applied");
  }
  const heldMs = await holds(context, setting, after, false);
  const facts = factsOf(setting, work);
  await context.evidence(`configuration of ${name}`, {
    ...facts,
    applied: reloads,
    ...(heldMs === undefined ? {} : { heldAfterMs: heldMs }),
  });
  const note = [
    saved.same ? "already so" : before === undefined ? "made" : inShort(facts.changes),
    ...(reloads ? ["applied"] : []),
    ...(heldMs === undefined ? [] : [`holds after ${formatDuration(heldMs)}`]),
  ].join(" · ");
  return await finish(context, saved, { note, ...facts, applied: reloads });
}

/** Reads and decides once; an attempt after a crash goes by what was kept. */
async function begin(context: StepContext, setting: ConfigureSetting): Promise<Work> {
  const { change, format, name, options } = setting;
  const saved = savedOf<ConfigureSaved>(context);
  if (saved !== undefined) return await workOf(context, setting, saved);
  const place = await openPlace(setting.place, context.idempotencyKey);
  const before = await place.read();
  if (before === undefined && typeof setting.place !== "string" && setting.place.remove === undefined)
    throw noRemove(name);
  const after = Buffer.from(await changed(before, change, { format, place: name }));
  const how = { secret: options.secret === true, file: typeof setting.place === "string" };
  const keepAs = (part: "before" | "after", bytes: Buffer): Promise<Kept> =>
    keep(context, bytes, { ...how, part, digest: place.digest(bytes) });
  const kept = await save<ConfigureSaved>(context, {
    ...(typeof setting.place === "string" ? { file: resolve(setting.place) } : {}),
    before: before === undefined ? null : await keepAs("before", before),
    after: await keepAs("after", after),
    same: same(place, before, after),
  });
  faultPoint("data.configure.saved");
  return { place, saved: kept, before, after };
}

async function workOf(context: StepContext, setting: ConfigureSetting, saved: ConfigureSaved): Promise<Work> {
  const place = await openPlace(saved.file ?? setting.place, context.idempotencyKey);
  const bytesOf = (kept: Kept): Promise<Buffer> => keptBytes(context, kept, (bytes) => place.digest(bytes));
  const before = saved.before === null ? undefined : await bytesOf(saved.before);
  return { place, saved, before, after: await bytesOf(saved.after) };
}

function same(place: OpenedPlace, a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return place.digest(a) === place.digest(b);
}

async function readBack(place: OpenedPlace, wanted: Buffer | undefined): Promise<void> {
  const now = await place.read();
  if (same(place, now, wanted)) return;
  throw new CutoverError("CUTOVER_DATA_CHANGED", {
    message: `expected ${sizeWords(wanted)} as just written, found ${sizeWords(now)} that are others`,
    place: place.name,
    remedy: "look at who else writes there, or whether the value is taken as it was given",
  });
}

const sizeWords = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? "nothing" : `${count(bytes.length)} bytes`;

function changedMeanwhile(
  { place, saved }: Work,
  now: Buffer | Uint8Array | undefined,
  what: string,
): CutoverError {
  const secret = saved.after.digest === undefined;
  const words = (digest: string | undefined): string =>
    digest === undefined ? "" : ` (${digest.slice(0, 12)}…)`;
  const expected = what.startsWith("found") ? saved.before : saved.after;
  const found = now === undefined || secret ? undefined : place.digest(now);
  return new CutoverError("CUTOVER_DATA_CHANGED", {
    message: `expected what the step ${what}, ${expected === null ? "nothing" : `${count(expected.bytes)} bytes`}${words(
      expected?.digest,
    )}, found ${sizeWords(now)}${words(found)}: somebody else changed it meanwhile`,
    place: place.name,
    details: {
      ...(expected?.digest === undefined ? {} : { expected: expected.digest }),
      ...(found === undefined ? {} : { found }),
    },
  });
}

function factsOf(
  { name, format, options }: ConfigureSetting,
  { saved, before, after }: Pick<Work, "saved" | "before" | "after">,
): JsonObject & { readonly changes: readonly string[] } {
  const side = (kept: Kept | null): Json =>
    kept === null
      ? null
      : { bytes: kept.bytes, ...(kept.digest === undefined ? {} : { digest: kept.digest }) };
  const lines = saved.same
    ? []
    : options.secret === true
      ? ["(not shown)"]
      : differenceLines(before, after, format, name);
  return {
    place: saved.file ?? name,
    before: side(saved.before),
    after: side(saved.after),
    changes: shortened(lines, recordedLines),
  };
}

/** The step's way back. */
export async function configureBack(context: StepContext, setting: ConfigureSetting): Promise<void> {
  const saved = savedOf<ConfigureSaved>(context);
  // Before `writing` nothing was touched, whatever stands there by now.
  if (saved === undefined || saved.same || saved.writing !== true) return;
  const work = await workOf(context, setting, saved);
  const { place, before, after } = work;
  await place.tidy();
  const now = await place.read();
  if (!same(place, now, before)) {
    const own = (found: Uint8Array | undefined): void => {
      if (!same(place, found, after)) throw changedMeanwhile(work, found, "wrote");
    };
    own(now);
    faultPoint("data.configure.before-back");
    if (before === undefined) await place.remove();
    else await place.write(before, own);
    faultPoint("data.configure.back-written");
    await readBack(place, before);
    await place.tidy();
  }
  if (saved.applying === true) {
    await applied(context, setting, before, true);
    await holds(context, setting, before, true);
  }
  await context.evidence(`way back of ${context.step}`, {
    place: saved.file ?? setting.name,
    ...(before === undefined || saved.before?.digest === undefined ? {} : { digest: saved.before.digest }),
    bytes: before === undefined ? null : before.length,
  });
}
