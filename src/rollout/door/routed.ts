import { shareBuckets, type Side } from "../../core/index.ts";
import { answer, answerAndTell, answerOfKey } from "./answers.ts";
import { type AnyFunction, callSide } from "./apart.ts";
import type { CallNames } from "./call-names.ts";
import { CapturedCall } from "./captured-call.ts";
import type { Deadlines } from "./deadlines.ts";
import { answerOrFailOver } from "./fail-over.ts";
import { describeKey, goodKey, keyText } from "./key-text.ts";
import type { Ledger } from "./ledger.ts";
import { letGo } from "./own-functions.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { SecondWrites } from "./second-writes.ts";
import type { ShadowLane } from "./shadow-lane.ts";

/** What it takes to find a call's key. */
export interface KeyParts {
  readonly route: string;
  readonly key: AnyFunction;
  readonly errors: ErrorReporter;
}

export interface RoutedParts extends KeyParts {
  readonly old: AnyFunction;
  readonly new: AnyFunction;
  readonly ledger: Ledger;
  readonly names: CallNames;
  /** Are effects of the sides captured at stage `shadow`? */
  readonly captures: boolean;
  readonly lane: ShadowLane;
  readonly seconds: SecondWrites;
  readonly deadlines: Deadlines;
  readonly idempotent: boolean;
  readonly unsent: ((error: unknown) => boolean) | undefined;
  readonly sampleLimit: number;
  readonly copyLimit: number;
}

/**
 * The function that stands at the call site. Everything that a stage means is decided here, per call, from the
 * ledger's state; the sides are called as the call site would have called them, `this` included.
 */
export function routed(parts: RoutedParts): AnyFunction {
  const { ledger, old, new: candidate } = parts;
  const failsOver = parts.idempotent || parts.unsent !== undefined;

  return function (this: unknown, ...args: unknown[]): unknown {
    switch (ledger.state.stage) {
      case "off":
        return answer(ledger, old, ledger.cohort.old, this, args);
      case "complete":
        return answer(ledger, candidate, ledger.cohort.new, this, args);
      case "live":
        return answerByShare(parts, failsOver, this, args);
      case "shadow":
        return answerThenShadow(parts, this, args);
      case "dualwrite":
        return answerThenWrite(parts, "old", this, args);
      case "rampdown":
        return answerThenWrite(parts, "new", this, args);
    }
  };
}

/** At stage `live`: the side that the share has for the call's key. */
export function answerByShare(
  parts: RoutedParts,
  failsOver: boolean,
  self: unknown,
  args: readonly unknown[],
): unknown {
  const { ledger } = parts;
  const { limit, cohort } = ledger;
  if (limit <= 0) return answer(ledger, parts.old, cohort.old, self, args);
  let key: string | undefined;
  if (limit < shareBuckets) {
    key = keyOf(parts, args);
    if (key === undefined) return answer(ledger, parts.old, cohort.old, self, args);
    const bucket = ledger.bucketOf(key);
    cohort.tally.keyLoad.add(bucket);
    if (bucket >= limit) return answerOfKey(ledger, parts.old, cohort.old, self, args, key);
  }
  if (failsOver) return answerOrFailOver(parts, self, args, key);
  if (key === undefined) return answer(ledger, parts.new, cohort.new, self, args);
  return answerOfKey(ledger, parts.new, cohort.new, self, args, key);
}

export function answerThenShadow(parts: RoutedParts, self: unknown, args: readonly unknown[]): unknown {
  const { ledger, lane, old } = parts;
  const { cohort } = ledger;
  const refused = parts.names.refusal(args);
  if (refused !== undefined) {
    cohort.tally.addRefused(refused.operation);
    return answer(ledger, old, cohort.old, self, args);
  }
  if (parts.sampleLimit < 1_000_000) {
    const key = keyOf(parts, args);
    if (key === undefined || ledger.sampleBucketOf(key) >= parts.sampleLimit)
      return answer(ledger, old, cohort.old, self, args);
  }
  const input = lane.admit(args);
  if (input === undefined) return answer(ledger, old, cohort.old, self, args);
  let streamed = false;
  const captured = parts.captures ? new CapturedCall(self, parts.copyLimit) : undefined;
  return answerAndTell(
    ledger,
    captured?.recorded(old) ?? old,
    cohort.old,
    self,
    args,
    (ok, result) => {
      if (streamed) return;
      if (captured === undefined || !ok) return lane.offer(cohort.tally, captured ?? self, input, ok, result);
      const deed = captured.deed(result);
      if (deed === undefined) cohort.tally.shadowSkipped++;
      else lane.offer(cohort.tally, captured, input, ok, deed);
    },
    (stream) => {
      streamed = true;
      return lane.offerStream(cohort.tally, captured ?? self, input, stream);
    },
  );
}

function answerThenWrite(parts: RoutedParts, first: Side, self: unknown, args: readonly unknown[]): unknown {
  const { ledger, seconds } = parts;
  const { cohort } = ledger;
  const refused = parts.names.refusal(args);
  if (refused !== undefined) {
    cohort.tally.addRefused(refused.operation);
    return answer(ledger, parts[first], cohort[first], self, args);
  }
  const place = first === "old" ? "new" : "old";
  const input = seconds.copyInput(args);
  const key = keyOf(parts, args);
  return answerAndTell(ledger, parts[first], cohort[first], self, args, (ok) => {
    // What the answering side refused was not written there, so it is not written on the other side either.
    if (ok) seconds.offer({ fn: parts[place], place, self, args: input, tally: cohort.tally, key });
  });
}

/** The key as text, or undefined when there is none: then the call belongs to the old side. */
export function keyOf(parts: KeyParts, args: readonly unknown[]): string | undefined {
  try {
    const key = callSide(parts.key, parts, args);
    const text = keyText(key);
    if (text !== undefined || key === "") return text;
    letGo(key);
    parts.errors.fault(parts.route, "key", `expected ${goodKey}, found ${describeKey(key)}`);
  } catch (error) {
    parts.errors.fault(parts.route, "key", error);
  }
  return undefined;
}

/** The side that answers a key now, for people and tests who ask. */
export function sideNow(ledger: Ledger, of: unknown): Side {
  const { stage } = ledger.state;
  if (stage === "complete" || stage === "rampdown") return "new";
  if (stage !== "live" || ledger.limit <= 0) return "old";
  if (ledger.limit >= shareBuckets) return "new";
  const key = keyText(of);
  return key !== undefined && ledger.bucketOf(key) < ledger.limit ? "new" : "old";
}
