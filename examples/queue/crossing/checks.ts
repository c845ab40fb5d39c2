import type { CheckResult } from "cutover";
import { brokenPromises, contractLength } from "../contract.ts";
import { places, readRecord, type ServerRecord } from "../server/settings.ts";
import { proveBackup } from "./backup.ts";
import type { Mapping } from "./move.ts";
import { readOldFolder, refuseUnmapped } from "./old-folder.ts";
import { health, keepAnswering } from "./server-control.ts";

/** The server answers; when it was gone it has been started again from its recorded settings. */
export async function serverAnswers(workDir: string): Promise<CheckResult> {
  const outcome = await keepAnswering(workDir);
  return {
    ok: true,
    note: `the server ${outcome === "started" ? "was gone and was started again" : "answers"}`,
  };
}

/** The old queue takes and ends orders: what the way back leads to. */
export async function oldSideAnswers(workDir: string): Promise<CheckResult> {
  await keepAnswering(workDir);
  const old = (await health(workDir))?.["old"] as { waiting: number; running: number } | null | undefined;
  if (old === null || old === undefined) return { ok: false, note: "the server has no old queue any more" };
  return { ok: true, note: `the old queue answers, ${old.waiting} waiting`, facts: { ...old } };
}

export function backupRestores(workDir: string, into: string): CheckResult {
  return proveBackup(places(workDir).old, into);
}

/** Every promise of the HTTP API, tried on the running server with real orders. */
export async function contractKept(workDir: string): Promise<CheckResult> {
  await keepAnswering(workDir);
  const broken = await brokenPromises(readRecord<ServerRecord>(places(workDir).server)?.port ?? 0);
  const all = contractLength();
  const note = `${all - broken.length} of ${all} promises of the API kept`;
  return { ok: broken.length === 0, note: [note, ...broken].join(" · "), facts: { all, broken } };
}

/** Counts what is there, by status; refuses a status that nobody mapped. */
export async function statusesAreMapped(
  workDir: string,
  map: Readonly<Record<string, Mapping>>,
): Promise<CheckResult> {
  const folder = await readOldFolder(places(workDir).old);
  refuseUnmapped(folder, map);
  const counts = Object.entries(folder.counts).map(([status, count]) => `${count} ${status}`);
  const note = `${counts.join(", ")} · ${folder.aside.length} damaged`;
  return { ok: true, note, facts: { ...folder.counts, damaged: folder.aside.length } };
}
