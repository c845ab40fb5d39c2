import { setTimeout as wait } from "node:timers/promises";
import { cutover, type Place, readStatus } from "./cutover-command.ts";

const lookEveryMs = 1_000;

/**
 * Acts as the people who are asked at the end: both sign off, or one of them refuses and takes everything back. Looks from time
 * to time, and tells what was done.
 */
export function people(
  place: Place,
  back: boolean,
): { readonly stop: () => void; readonly told: Promise<readonly string[]> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const act = async (words: readonly string[], told: string[]): Promise<void> => {
    const { code } = await cutover(words, place, { show: false });
    if (code === 0 || code === 4) told.push(`npx cutover ${words.join(" ")}`);
  };
  const told = (async (): Promise<readonly string[]> => {
    const said: string[] = [];
    while (!signal.aborted) {
      await wait(lookEveryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      const { view } = await readStatus(place).catch(() => ({ view: null }));
      const phase = view?.wanted[0]?.phase;
      if (view === null || phase === undefined || signal.aborted) continue;
      if (back) {
        await act(["rollback", view.run.id, "--by", "ann", "--reason", "the sign-off is refused"], said);
        continue;
      }
      for (const by of ["ann", "ben"])
        await act(
          ["approve", view.run.id, "--phase", phase, "--by", by, "--reason", "all of it holds"],
          said,
        );
    }
    return said;
  })();
  return { stop: () => stopping.abort(), told };
}
