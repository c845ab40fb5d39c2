import type { WorkOrder } from "../old/work-order.ts";
import { NewSideFailed, type NewSide } from "../new/new-side.ts";
import type { Submission } from "../old/work-order.ts";
import type { Fault } from "./settings.ts";

type Submit = (submission: Submission) => Promise<WorkOrder>;

/** Far more than the old side takes on a busy machine, less than the route's deadline. */
const slowMs = 1_200;

/**
 * The new side's submit as it goes wrong in practice. `active` is asked at every call: the fault begins with the
 * first call at half the traffic and is gone as soon as the share is lower.
 */
export function withFault(next: NewSide, fault: Fault | null, active: () => boolean): Submit {
  const submit: Submit = (submission) => next.call("submit", submission);
  if (fault === null) return submit;
  const bad = faultySubmit(next, submit)[fault];
  return (submission) => (active() ? bad(submission) : submit(submission));
}

function faultySubmit(next: NewSide, submit: Submit): Readonly<Record<Fault, Submit>> {
  return {
    errors: () => Promise.reject(new NewSideFailed("fault: the new queue refuses every order")),
    slow: async (submission) => {
      await new Promise((resolve) => setTimeout(resolve, slowMs));
      return await submit(submission);
    },
    crash: (submission) => {
      const answer = submit(submission);
      next.kill();
      return answer;
    },
    hang: () => new Promise(() => {}),
    "wrong-answers": async (submission) => ({ ...(await submit(submission)), taskPrompt: "something else" }),
  };
}
