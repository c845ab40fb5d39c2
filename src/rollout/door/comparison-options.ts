import type { StreamBounds, StreamFormat, StreamOptions } from "./stream-record.ts";
import type { WorkerOptions, WorkerSettings } from "./worker-side.ts";

/** Options about comparing, with their defaults. */
export interface ComparisonLimits {
  readonly streams: StreamBounds;
  readonly anyOrder: boolean;
  /** Percentage of shadow calls for which the old side is called again. */
  readonly learnNoise: number;
  readonly worker: WorkerSettings | undefined;
}

/** What of a route's options is read here. */
export interface ComparisonOptions {
  readonly effects?: "none" | "writes";
  readonly shadow?: unknown;
  readonly compare?: unknown;
  readonly stream?: StreamOptions;
  readonly tolerance?: unknown;
  readonly learnNoise?: number;
  readonly worker?: URL | WorkerOptions;
}

type Refuse = (place: string, expected: string, found: unknown, remedy?: string) => never;

const formats: readonly StreamFormat[] = ["events", "text", "sse", "lines", "json"];
/** Members of all events of a stream together, as a multiple of those of one. */
const eventsWorth = 10;

export function readComparisonOptions(
  options: ComparisonOptions,
  copyLimit: number,
  refuse: Refuse,
): ComparisonLimits {
  const learnNoise = options.learnNoise ?? 0;
  if (!(learnNoise >= 0 && learnNoise <= 100))
    refuse("learnNoise", "a percentage between 0 and 100", learnNoise);
  if (learnNoise > 0 && options.effects !== "none")
    refuse("effects", '"none", since `learnNoise` calls the old side twice', options.effects);
  if (learnNoise > 0 && options.compare !== undefined)
    refuse("learnNoise", "left out: what is learned is told to no comparison of your own", learnNoise);
  readTolerance(options.tolerance, refuse);
  return {
    ...readStream(options.stream, copyLimit, refuse),
    learnNoise,
    worker: readWorker(options, refuse),
  };
}

function readTolerance(given: unknown, refuse: Refuse): void {
  if (given === undefined) return;
  if (!isRecord(given)) return refuse("tolerance", "an object: { absolute, relative }", given);
  onlyKnown("tolerance", given, ["absolute", "relative"], refuse);
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && !(typeof value === "number" && value >= 0 && Number.isFinite(value)))
      refuse(`tolerance.${name}`, "a finite number from 0", value);
}

function readStream(
  given: StreamOptions = {},
  copyLimit: number,
  refuse: Refuse,
): Pick<ComparisonLimits, "streams" | "anyOrder"> {
  if (!isRecord(given)) return refuse("stream", "an object: { format, order, events, bytes }", given);
  onlyKnown("stream", given, ["format", "order", "events", "bytes"], refuse);
  const { format, order = "kept", events = 1_000, bytes = 262_144 } = given;
  if (format !== undefined && !formats.includes(format))
    refuse("stream.format", `one of ${formats.join(", ")}`, format);
  if (order !== "kept" && order !== "any") refuse("stream.order", '"kept" or "any"', order);
  whole("stream.events", events, 100_000, refuse);
  whole("stream.bytes", bytes, 100_000_000, refuse);
  return { streams: { format, events, bytes, members: eventsWorth * copyLimit }, anyOrder: order === "any" };
}

const defaultMemory = 256;

function readWorker(options: ComparisonOptions, refuse: Refuse): WorkerSettings | undefined {
  const { worker, effects, shadow } = options;
  if (worker === undefined) return undefined;
  const given: unknown = worker instanceof URL ? { module: worker } : worker;
  if (!isRecord(given)) return refuse("worker", "the URL of a module, or { module, name, memory }", worker);
  onlyKnown("worker", given, ["module", "name", "memory"], refuse);
  const { module, name = "default", memory = defaultMemory } = given as Partial<WorkerOptions>;
  if (!(module instanceof URL) || !["file:", "data:"].includes(module.protocol))
    return refuse("worker.module", 'a URL of a file: new URL("./new-side.ts", import.meta.url)', module);
  if (typeof name !== "string" || name === "") refuse("worker.name", "the name of an export", name);
  whole("worker.memory", memory, 65_536, refuse, 16);
  if (effects !== "none")
    refuse("effects", '"none", since the function of `worker` is called besides', effects);
  if (shadow !== undefined) refuse("shadow", "left out: the function of `worker` is called instead", shadow);
  return { module: module.href, name, memory };
}

function onlyKnown(place: string, given: object, names: readonly string[], refuse: Refuse): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined)
    refuse(`${place}.${unknown.slice(0, 60)}`, `left out: ${place} knows ${names.join(", ")}`, unknown);
}

function whole(place: string, value: unknown, most: number, refuse: Refuse, least = 1): void {
  if (!(Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    refuse(place, `a whole number from ${least} to ${most}`, value);
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
