import type { CheckResult } from "cutover";
import { health } from "../engine/client.ts";
import { places, readRecord } from "../engine/places.ts";
import type { Grow } from "../engine/processors.ts";
import { layers } from "../engine/memory.ts";
import type { LoadReport } from "../load.ts";
import * as plain from "../processors/plain.ts";
import * as reflective from "../processors/reflective.ts";

export async function engineAnswers(dir: string): Promise<CheckResult> {
  const answer = await health(dir, 5_000).catch(() => undefined);
  if (answer === undefined) return { ok: false, note: "the engine does not answer" };
  const { side, epoch, processors, errors } = answer;
  return {
    ok: true,
    note: `the ${side} side is in charge (epoch ${epoch}), processors ${processors}`,
    facts: { side, epoch, processors, errors: [...errors] },
  };
}

/** Of the calls of the load in the last ten seconds: an engine that was killed is forgiven once it answers again. */
export function errorShare(dir: string): number {
  const { written = 0, failed = 0 } = readRecord<LoadReport>(places(dir).loadReport)?.recent ?? {};
  return failed / Math.max(1, written + failed);
}

export const longestWrite = (dir: string): number =>
  readRecord<LoadReport>(places(dir).loadReport)?.longestMs ?? 0;

/** The new processors let the same memories grow where the old ones did, and refuse what must not be. */
export function newProcessorsAgree(): { readonly note: string } {
  if (!(reflective.version > plain.version))
    throw new Error(`expected a later version than ${plain.version}, found ${reflective.version}`);
  let tried = 0;
  for (const layer of layers)
    for (let number = 0; number < 1_000; number++) {
      const input: Parameters<Grow>[0] = { layer, number, weight: 0.5 };
      const [before, after] = [plain.grow(input), reflective.grow(input)];
      if (before?.layer !== after?.layer || before?.number !== after?.number)
        throw new Error(`${layer} ${number}: grew into ${before?.layer}, would grow into ${after?.layer}`);
      tried++;
    }
  let refused = false;
  try {
    reflective.grow({ layer: "sensory", number: 4, weight: 2 });
  } catch {
    refused = true;
  }
  if (!refused) throw new Error("expected a weight above 1 to be refused");
  return { note: `${tried.toLocaleString("en")} memories grow as before, wrong weights are refused` };
}
