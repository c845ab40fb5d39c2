import { setTimeout as wait } from "node:timers/promises";
import { cutover, type Place, viewOfOwner } from "./cutover-command.ts";

const lookEveryMs = 300;
/** How long the new shop is written to before it is left again. */
const writtenMs = 1_500;

/**
 * Acts as the person that a move needs: approves the last phase or, with `back`, takes the run back while the new shop is in charge
 * and observed. It does so by command, and tells what it did.
 */
export function actAsPerson(
  place: Place,
  { back }: { readonly back: boolean },
): { readonly stop: () => void; readonly told: Promise<string | undefined> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const told = (async (): Promise<string | undefined> => {
    let last: string | undefined;
    while (!signal.aborted) {
      await wait(lookEveryMs, undefined, { signal }).catch(() => {});
      const view = await viewOfOwner(place.store);
      if (view === undefined || signal.aborted) continue;
      const { id } = view.run;
      const phase = view.wanted[0]?.phase;
      if (back && view.phases.some(({ name, state }) => name === "observe" && state === "RUNNING")) {
        await wait(writtenMs, undefined, { signal }).catch(() => {});
        const words = ["rollback", id, "--reason", "the example was asked to go back"];
        void cutover(words, place, { show: false });
        return `taken back by this script in place of a person: npx cutover rollback ${id} …`;
      }
      if (phase === undefined) continue;
      const words = ["approve", id, "--phase", phase, "--by", "start-script"];
      const reason = ["--reason", "the new shop has answered, and the old one was kept equal"];
      const { code } = await cutover([...words, ...reason], place, { show: false });
      // It goes on looking: when the evidence changes before the phase begins, the approval lapses.
      if (code === 0) last = `approved by this script in place of a person: npx cutover ${words.join(" ")} …`;
    }
    return last;
  })();
  return { stop: () => stopping.abort(), told };
}
