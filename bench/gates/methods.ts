import { createJudge, firstErrorTest, ratioTest } from "../../src/gates/index.ts";
import { intervalOf } from "./intervals.ts";
import type { Second } from "./worlds.ts";

export const alpha = 0.01;
export const beta = 0.05;

/** A way to judge errors, fed second by second; true when it says "worse". */
export type Method = () => (seen: Second) => boolean;

const options = { alpha, beta, clearBelow: 2 };

/** Per call, against the measured share. */
const perCall: Method = () => {
  const test = ratioTest(options);
  return ({ oldCalls, newCalls, oldErrors, newErrors }) => {
    const all = oldCalls + newCalls;
    if (all > 0) test.observe({ share: newCalls / all, newErrors, allErrors: oldErrors + newErrors });
    return test.kind() === "fail";
  };
};

/** Per call, against the assigned share: what is often done, and wrong with users who stay on one side. */
const perCallAssigned: Method = () => {
  const test = ratioTest(options);
  return ({ share, oldErrors, newErrors }) => {
    test.observe({ share, newErrors, allErrors: oldErrors + newErrors });
    return test.kind() === "fail";
  };
};

/** First error per key, against the assigned share. */
const firstErrors: Method = () => {
  const test = firstErrorTest(options);
  return ({ share, oldFirst, newFirst }) => {
    test.observe({ share, newFirst, allFirst: oldFirst + newFirst });
    return test.kind() === "fail";
  };
};

/** Success of the new side's calls in each whole minute; a minute without calls is no sample. */
function minutes(judge: (success: number) => boolean): (seen: Second) => boolean {
  let [second, newCalls, newErrors] = [0, 0, 0];
  return (seen) => {
    newCalls += seen.newCalls;
    newErrors += seen.newErrors;
    if (++second % 60 !== 0) return false;
    const success = newCalls === 0 ? undefined : 1 - newErrors / newCalls;
    [newCalls, newErrors] = [0, 0];
    return success !== undefined && judge(success);
  };
}

const limit = 0.99;

/**
 * Flagger as its documentation shows it (docs.flagger.app, "Metrics Analysis" and "How it works"): `interval: 1m`,
 * `request-success-rate` with `thresholdRange.min: 99`, `threshold: 5` failed checks before rolling back.
 */
const flagger: Method = () => {
  let failed = 0;
  return minutes((success) => success < limit && ++failed >= 5);
};

/** The first minute with less than 99 % success. */
const fixedLimit: Method = () => minutes((success) => success < limit);

/** The engine's judge of "at most twice the old side's errors", which looks every five seconds here. */
const judge =
  (keyed: boolean): Method =>
  () => {
    const judged = createJudge({ kind: "worse-than-old", by: 2, alpha, beta }, { of: "errors" });
    let second = 0;
    return ({ share, oldCalls, newCalls, oldErrors, newErrors, oldFirst, newFirst }) => {
      const interval = intervalOf(second++, {
        old: { calls: oldCalls, errors: oldErrors },
        new: { calls: newCalls, errors: newErrors },
      });
      const firstErrors = { old: oldFirst, new: newFirst };
      judged.add([{ ...interval, share: share * 100, ...(keyed ? { firstErrors } : {}) }]);
      return second % 5 === 0 && judged.verdict().kind === "fail";
    };
  };

export type MethodName =
  JudgeName | "per call" | "assigned share" | "first errors" | "Flagger default" | "fixed 99 %";

export const methods: Readonly<Record<MethodName, Method>> = {
  "per call": perCall,
  "assigned share": perCallAssigned,
  "first errors": firstErrors,
  "Flagger default": flagger,
  "fixed 99 %": fixedLimit,
  "judge with keys": judge(true),
  "judge without keys": judge(false),
};

export type JudgeName = "judge with keys" | "judge without keys";
export const judgeNames: readonly JudgeName[] = ["judge with keys", "judge without keys"];

/** What is held side by side in the tables; judges cost too much for all of them. */
export const methodNames: readonly MethodName[] = [
  "per call",
  "assigned share",
  "first errors",
  "Flagger default",
  "fixed 99 %",
];
