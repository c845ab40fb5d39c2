import { canonicalJson, isCutoverError, type JsonObject, markPlace, sha256 } from "../../core/index.ts";
import type { Step, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { type AnyChange, type ConfigChange, changed, changeProblems } from "./configure-change.ts";
import { differenceLines, inShort, shortened } from "./configure-difference.ts";
import { isObject } from "./configure-path.ts";
import {
  type AnyPlace,
  type ConfigPlace,
  formatOf,
  type OpenedPlace,
  openPlace,
  placeName,
  placeProblems,
} from "./configure-place.ts";
import type { ConfigureOptions, ConfigureSetting } from "./configure-setting.ts";
import { configureBack, configureNow } from "./configure-work.ts";
import { askSaved } from "./saved.ts";
import { type DataStepPlacement, durationMs, given, optionsOf, placement, Problems } from "./step-input.ts";

const known: Readonly<
  Record<Exclude<keyof ConfigureOptions<never>, Exclude<keyof DataStepPlacement, "timeout">>, true>
> = { format: true, apply: true, check: true, within: true, secret: true, timeout: true };

/** Lines of a difference in a plan. */
const plannedLines = 4;
/** A guess: a small write, and a service that reads it again. */
const estimateMs = 1_000;

/**
 * A step that changes a configuration: a file, or anything that can be read and written. The value before is kept durably, the
 * new one written whole or not at all (a file by a rename, with the same rights), read back, applied and checked. The way back
 * writes the old value again, but only over what the step wrote: what somebody else changed meanwhile is refused.
 *
 * In JSON and YAML only the members that change are written anew. A file that is not there is made, and removed on the way back.
 * Steps for one place come one after the other.
 *
 * ```ts
 * configure("config/store.json", { set: { "cache.size": 512 } }, { apply: () => service.reload() })
 * configure({ name: "work_mem", read, write }, { to: "64MB" })
 * ```
 */
export function configure<T = JsonObject>(
  place: ConfigPlace<T>,
  change: ConfigChange<T>,
  stepOptions: ConfigureOptions<T> = {},
): Step {
  const options = optionsOf<ConfigureOptions<never>>(stepOptions as ConfigureOptions<never>);
  const format = options.format ?? formatOf(place);
  const setting: ConfigureSetting = {
    place: place as AnyPlace,
    change: change as AnyChange,
    options,
    format,
    name: placeName(place),
  };
  const members: Partial<Record<"set" | "remove" | "to", unknown>> = isObject(change) ? change : {};
  return markPlace(
    {
      ...placement("configure", options as DataStepPlacement),
      kind: configureKind(setting, stepOptions),
      // Names alone: a value may be a secret. The values are in the fingerprint.
      input: given({
        place: setting.name,
        format: typeof format === "string" ? format : undefined,
        set: isObject(members.set) ? Object.keys(members.set) : undefined,
        remove: Array.isArray(members.remove)
          ? (members.remove as readonly unknown[]).map(String)
          : undefined,
        estimate: options.estimate,
      }),
    } as Step,
    configure as (...args: never[]) => unknown,
  );
}

function configureKind(setting: ConfigureSetting, stepOptions: unknown): StepKind {
  return {
    kind: "configure",
    reversible: true,
    timeoutMs: 3_600_000,
    validate: () => problems(setting, stepOptions),
    summary: () => `configure ${setting.name}`,
    plan: () => plan(setting),
    start: (context) => configureNow(context, setting),
    verify: askSaved,
    rollback: (context) => configureBack(context, setting),
    fingerprint: () => fingerprint(setting),
  };
}

function fingerprint({ place, change, options }: ConfigureSetting): string {
  const functions =
    typeof place === "string" ? [place] : [place?.name, place?.read, place?.write, place?.remove];
  const what =
    typeof change === "function"
      ? String(change)
      : // Of whatever was given here: what is no change at all is refused by validation, not by this.
        sha256(
          change instanceof Object && "to" in change && change.to instanceof Uint8Array
            ? change.to
            : canonicalJson(change),
        );
  return [...functions, what, options.apply, options.check].map(String).join("\n");
}

function problems(
  { place, change, options, format }: ConfigureSetting,
  stepOptions: unknown,
): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  placeProblems(found, place);
  const formats = typeof place === "string" ? ["json", "yaml", "text", "bytes"] : ["value"];
  if (!formats.includes(format))
    found.add(
      "format",
      typeof place === "string" ? `one of ${formats.join(", ")}` : "left out, as no file is read",
      format,
      "leave it out where the file's name says it",
    );
  else changeProblems(found, change, format);
  for (const part of ["apply", "check"] as const)
    if (options[part] !== undefined && typeof options[part] !== "function")
      found.add(part, "a function", options[part], `write ${part}: async (value) => { … }`);
  if (options.within !== undefined && !((durationMs(options.within) ?? 0) > 0))
    found.add("within", "a duration above 0", options.within, 'write for example "30s"');
  if (options.within !== undefined && options.check === undefined)
    found.add("within", "given together with `check`", options.within, "nothing else waits for it");
  found.flag("secret", options.secret);
  return found.list;
}

async function plan({ place, change, options, format, name }: ConfigureSetting): Promise<StepPlan> {
  const own = options.estimate === undefined ? undefined : durationMs(options.estimate);
  const rest = { estimateMs: own ?? estimateMs };
  let opened: OpenedPlace;
  let before: Buffer | undefined;
  try {
    opened = await openPlace(place, "plan");
    before = await opened.read();
  } catch (error) {
    // Something that an earlier step starts or makes.
    if (!isCutoverError(error) || (typeof place === "string" && error.code !== "CUTOVER_DATA_MISSING"))
      throw error;
    return { summary: `configure ${name} · cannot be read yet`, ...rest, touches: [name, error.message] };
  }
  const after = await changed(before, change, { format, place: name });
  if (before !== undefined && opened.digest(before) === opened.digest(after))
    return { summary: `configure ${name} · already so`, ...rest, touches: [name] };
  const lines = options.secret === true ? ["(not shown)"] : differenceLines(before, after, format, name);
  return {
    summary: `configure ${name} · ${before === undefined ? "will be made" : inShort(lines)}`,
    ...rest,
    touches: [name, ...shortened(lines, plannedLines)],
  };
}
