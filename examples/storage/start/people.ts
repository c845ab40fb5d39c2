import { get } from "node:http";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { readRecord } from "../engine/places.ts";
import { cutover, type Place, type Status } from "./cutover-command.ts";

const lookEveryMs = 300;

/**
 * Acts as the people who are asked at the end: both sign off, or one of them refuses and takes everything back. Looks from time
 * to time, acts by command, and tells what it did.
 */
export function people(
  place: Place,
  back: boolean,
): { readonly stop: () => void; readonly told: Promise<readonly string[]> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const told = (async (): Promise<readonly string[]> => {
    const said: string[] = [];
    const act = async (run: string, verb: readonly string[], by: string, reason: string): Promise<void> => {
      const [name = "", ...rest] = verb;
      const words = [name, run, ...rest, "--by", by];
      const { code } = await cutover([...words, "--reason", reason], place, { show: false });
      // 4: it was taken back, as was asked for.
      if (code === 0 || code === 4) said.push(`npx cutover ${words.join(" ")} --reason "${reason}"`);
    };
    while (!signal.aborted) {
      await wait(lookEveryMs, undefined, { signal }).catch(() => {});
      const view = await viewOfOwner(place.store).catch(() => undefined);
      const phase = view?.wanted[0]?.phase;
      if (view === undefined || view === null || phase === undefined || signal.aborted) continue;
      const { id } = view.run;
      if (back) await act(id, ["rollback"], "ann", "the sign-off is refused");
      else
        for (const by of ["ann", "ben"])
          await act(id, ["approve", "--phase", phase], by, "all of the validation holds");
    }
    return said;
  })();
  return { stop: () => stopping.abort(), told };
}

/** Asks the process that carries the run, as `cutover status` does, without starting a process each time. */
async function viewOfOwner(store: string): Promise<Status["view"] | undefined> {
  const owner = readRecord<{ socket: string }>(join(store, "owner.json"));
  if (owner === undefined) return undefined;
  const [run] = (await ask(owner.socket, "/v1/runs")) as { id: string }[];
  return run === undefined ? undefined : ((await ask(owner.socket, `/v1/runs/${run.id}`)) as Status["view"]);
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, timeout: 2_000 }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
      answer.once("end", () => {
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error as Error);
        }
      });
    }).once("error", reject);
  });
}
