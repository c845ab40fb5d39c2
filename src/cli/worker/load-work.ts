import { statSync } from "node:fs";
import { resolve } from "node:path";
import { CutoverError, isCutoverError } from "../../core/index.ts";
import { isMigration, type Migration } from "../../plan/index.ts";
import { defineWorker, isWorker, type WorkerDefinition } from "../../queue/index.ts";
import { loadModule, placeIn } from "../load-migration.ts";

/** What a worker process is to do. */
export interface Work {
  readonly workers: readonly WorkerDefinition[];
  readonly migrations: readonly Migration[];
}

/**
 * Everything that the files export and a worker can do: what `defineWorker` and `defineMigration` made, under any name.
 * @throws CUTOVER_CLI_USAGE without a file, and for two workers of one queue or two migrations of one name;
 * CUTOVER_PLAN_NOT_FOUND for a file without any; CUTOVER_PLAN_LOAD; CUTOVER_QUEUE_* naming the file and what is wrong in it
 */
export async function loadWork(files: readonly string[], cwd: string): Promise<Work> {
  if (files.length === 0) {
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: "expected at least one file, found none",
      remedy: "usage: cutover worker FILE…, each exporting defineWorker({ kinds: { … } }) or a migration",
    });
  }
  const workers = new Map<string, WorkerDefinition>();
  const migrations = new Map<string, Migration>();
  for (const named of files) {
    const file = resolve(cwd, named);
    const there = statSync(file, { throwIfNoEntry: false });
    if (there === undefined || there.isDirectory()) {
      throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
        message: `expected a file with a worker or a migration, found ${there === undefined ? "no such file" : "a folder"}`,
        place: file,
        remedy: "give the path of a file that exports defineWorker({ … }) or a migration",
      });
    }
    const found = await exportsOf(file);
    let any = false;
    for (const value of found) {
      if (isMigration(value)) {
        const other = migrations.get(value.name);
        if (other !== undefined && other !== value) throw sameName(value.name, file);
        migrations.set(value.name, value);
      } else if (isWorker(value)) {
        const other = workers.get(value.queue);
        if (other !== undefined && other !== value) throw twice(value.queue, file);
        workers.set(value.queue, value);
      } else continue;
      any = true;
    }
    if (!any) {
      throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
        message: "expected a file that exports a worker or a migration, found neither",
        place: file,
        remedy: "write `export default defineWorker({ kinds: { … } })`",
      });
    }
  }
  return { workers: [...workers.values()], migrations: [...migrations.values()] };
}

/** @throws what a worker in it is refused with, naming the file: the refusal itself knows only the member */
async function exportsOf(file: string): Promise<ReadonlySet<unknown>> {
  try {
    const found = new Set(Object.values(await loadModule(file)));
    for (const value of found) if (isWorker(value)) checkAnew(value);
    return found;
  } catch (error) {
    if (!isCutoverError(error) || !error.code.startsWith("CUTOVER_QUEUE_")) throw error;
    const { code, message, details, remedy, place: member } = error;
    const place = [placeIn(file, error) ?? file, ...(member === undefined ? [] : [member])].join(" · ");
    throw new CutoverError(code, { message, details, remedy, place, cause: error });
  }
}

/** One that another copy of the package made, or a hand, was never held against the rules of this one. */
function checkAnew({ queue, kinds, options }: WorkerDefinition): void {
  defineWorker({ ...options, queue, kinds });
}

const twice = (queue: string, file: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected one worker for queue "${queue}", found a second one`,
    place: file,
    remedy: "put all kinds of a queue into one defineWorker, or start one process for each",
  });

const sameName = (name: string, file: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected one migration "${name}", found a second one`,
    place: file,
    remedy: "name the file that its runs were begun with",
  });
