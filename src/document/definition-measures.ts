import { type Code, list, object, text, words } from "./definition-code.ts";
import { decimal } from "./definition-words.ts";
import type { ThresholdFinding } from "./figure-finding.ts";

/** What is known of the plan around a threshold. */
export interface MeasureSurroundings {
  readonly units: boolean;
  readonly scheduleEnd: boolean;
  /** The threshold's duration where it names one, in words the tool reads: `7d`. */
  readonly duration: (threshold: ThresholdFinding) => string | undefined;
}

/** The gate that a threshold asks for, where the tool has the measure and the words leave no doubt; else undefined. */
export function gateOf(threshold: ThresholdFinding): Code | undefined {
  return measured(threshold, "gate");
}

/** The condition of a trigger that a threshold names; else undefined. */
export function conditionOf(threshold: ThresholdFinding, around: MeasureSurroundings): Code | undefined {
  const { measure, text: said, comparison, number } = threshold;
  const over = comparison === ">" || comparison === ">=";
  if (over && around.scheduleEnd && /\bbehind\b/i.test(said)) {
    const limit = around.duration(threshold);
    if (limit !== undefined)
      return text(`behindSchedule().above(${JSON.stringify(limit)})`, "behindSchedule");
  }
  const failing =
    /\b(units?|crates?|modules?|packages?|services?|systems?|components?|migrations?)\s+(fail|failed|failing|break)\b/i;
  if (
    comparison === ">" &&
    around.units &&
    failing.test(measure) &&
    Number.isSafeInteger(number) &&
    number >= 0
  )
    return text(`unitsFailed().above(${number})`, "unitsFailed");
  const part = factorOf(threshold);
  if (
    threshold.about === "throughput" &&
    comparison.startsWith("<") &&
    part !== undefined &&
    part > 0 &&
    part <= 1
  )
    return text(`throughput().below(${part})`, "throughput");
  return measured(threshold, "trigger");
}

function measured(threshold: ThresholdFinding, as: "gate" | "trigger"): Code | undefined {
  const { about, comparison, sense } = threshold;
  if (!namesOneThing(threshold)) return undefined;
  // Wanted low, or trouble when high; anything else is no limit on something that is worse when there is more of it.
  const low = sense !== "limit" && (comparison === "<" || comparison === "<=" || comparison === "within");
  const high = sense !== "goal" && (comparison === ">" || comparison === ">=");
  if (as === "gate" ? !low && !(high && sense === "limit") : !high) return undefined;
  const verb = as === "gate" ? "below" : "above";
  const factor = factorOf(threshold);
  if (about === "error-rate" && isRate(threshold)) {
    if (factor !== undefined && factor > 1 && factor <= 1000) return worse("rate.error()", "rate", factor);
    const limit = partOf(threshold);
    if (limit !== undefined) return text(`rate.error().${verb}(${limit})`, "rate");
  }
  if (about === "mismatch" && isRate(threshold)) {
    const limit = partOf(threshold);
    if (limit !== undefined) return text(`rate.mismatch().${verb}(${limit})`, "rate");
  }
  if (about === "memory") {
    const limit = partOf(threshold);
    if (limit !== undefined) return text(`memory().${verb}(${limit})`, "memory");
  }
  if (about === "latency" && factor !== undefined && factor > 1 && factor <= 1000) {
    const name = { 0.5: "p50", 0.95: "p95", 0.99: "p99" }[String(threshold.quantile)];
    if (name !== undefined) return worse(`${name}()`, name, factor);
  }
  return undefined;
}

const worse = (measure: string, name: string, by: number): Code => ({
  type: "chain",
  first: text(measure, name),
  method: "worseThan",
  args: [words("old"), object({ by: text(String(by)) })],
});

/** A rate of errors or mismatches of calls; failures of anything else (health checks, migrations, tests) are not. */
const isRate = ({ measure, unit }: ThresholdFinding): boolean =>
  (unit === "%" || unit === "" || unit === "×") &&
  !/health|migration|test|import|build|deploy|count|number|bud?get/i.test(measure);

/** A sentence about more than one limit is not turned into one of them. */
const namesOneThing = ({ text: said }: ThresholdFinding): boolean =>
  !/\b(and|or|und|oder|et|ou|y|o)\b.*\d/i.test(said);

/** The limit as a part between 0 and 1, where it is absolute. */
function partOf({ number, unit, baseline }: ThresholdFinding): number | undefined {
  if (baseline !== undefined) return undefined;
  const part = unit === "%" ? decimal(number, 2) : unit === "" ? number : Number.NaN;
  return part > 0 && part < 1 ? part : undefined;
}

/** How many times the old side's figure: `2x baseline` is 2, `10 % above baseline` is 1.1. */
function factorOf({ number, unit, baseline, comparison, text: said }: ThresholdFinding): number | undefined {
  if (unit === "×") return number;
  const more =
    comparison === "within" || /\b(above|more|over|slower|worse|higher|increase|regression)\b/i.test(said);
  if (unit !== "%" || baseline === undefined || !more) return undefined;
  return Number((100 + number).toString()) / 100;
}

/** A list of numbers. */
export const numbers = (values: readonly number[]): Code => list(values.map((value) => text(String(value))));
