import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError, isCutoverError, type Step, type StepContext, type StepKind } from "cutover";
import { ask, type HttpAnswer } from "../http-client.ts";
import type { LoadReport, LoadSettings } from "../load/settings.ts";
import {
  places,
  readRecord,
  type ServerRecord,
  type ServerSettings,
  writeRecord,
} from "../server/settings.ts";

import { runsScript } from "./process-command.ts";

const serverScript = "server/main.ts";
const startLimitMs = 15_000;
const callLimitMs = 60_000;
const callTries = 5;
const watchMs = 500;
/** A server that answers nothing for so long is taken for dead. */
const hangLimitMs = 10_000;

/** Starts a program of the example so that it outlives this process; its output goes to a file of the work folder. */
export function startDetached(script: string, workDir: string, log: string): number {
  const out = openSync(log, "a");
  const args = [...process.execArgv, join(import.meta.dirname, "..", script), workDir];
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", out, out] });
  child.unref();
  if (child.pid !== undefined) return child.pid;
  throw new CutoverError("CUTOVER_INTERNAL", { message: `${script} could not be started; see ${log}` });
}

/** Answers of the server's health page, or undefined when it does not answer. */
export async function health(workDir: string): Promise<Record<string, unknown> | undefined> {
  const record = readRecord<ServerRecord>(places(workDir).server);
  if (record === undefined) return undefined;
  try {
    const { code, body } = await ask(record.port, "GET", "/health", undefined, 3_000);
    return code === 200 ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes sure the server answers: when it is gone, it is started again as it was. Also the load, as long as it should
 * run. Callers at the same time share one look, so that nothing is started twice.
 */
export function keepAnswering(workDir: string): Promise<"answered" | "started"> {
  looking ??= lookAfter(workDir).finally(() => (looking = undefined));
  return looking;
}

let looking: Promise<"answered" | "started"> | undefined;

async function lookAfter(workDir: string): Promise<"answered" | "started"> {
  const files = places(workDir);
  let outcome: "answered" | "started" = "answered";
  if (!(await answersInTime(workDir))) {
    await startServer(workDir);
    outcome = "started";
  }
  const load = readRecord<LoadReport>(files.load);
  const wanted = readRecord<LoadSettings>(files.loadSettings)?.wanted === true;
  if (load !== undefined && wanted && !runsScript(load.pid, "queue/load.ts")) {
    const pid = startDetached("load.ts", workDir, files.loadLog);
    // At once: it reports only after half a second, and must not be missed again until then.
    writeRecord(files.load, { ...load, pid } satisfies LoadReport);
  }
  return outcome;
}

/** False at once when the process is gone, and when it is there but says nothing for some time. */
async function answersInTime(workDir: string): Promise<boolean> {
  for (const limit = Date.now() + hangLimitMs; ; await wait(200)) {
    if ((await health(workDir)) !== undefined) return true;
    const record = readRecord<ServerRecord>(places(workDir).server);
    if (record === undefined || !isServer(record) || Date.now() > limit) return false;
  }
}

/** Starts the server from the settings in the work folder and waits until it answers. */
export async function startServer(workDir: string): Promise<ServerRecord> {
  const files = places(workDir);
  const settings = readRecord<ServerSettings>(files.serverSettings);
  if (settings === undefined)
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: `expected the server's settings in ${files.serverSettings}, found none`,
      remedy: "start the example with `npm start`",
    });
  // A server that is there but hangs must be gone before another one opens the same folders.
  const before = readRecord<ServerRecord>(files.server);
  if (before !== undefined && isServer(before)) process.kill(before.pid, "SIGKILL");
  const pid = startDetached(serverScript, workDir, files.serverLog);
  const limit = Date.now() + startLimitMs;
  while (Date.now() < limit) {
    await wait(50);
    const record = readRecord<ServerRecord>(files.server);
    if (record?.pid === pid && (await health(workDir)) !== undefined) return record;
    if (runsScript(pid, serverScript)) continue;
    throw settings.port > 0 && (await portAnswers(settings.port))
      ? new CutoverError("CUTOVER_PORT_IN_USE", {
          message: `expected port ${settings.port} to be free for the work-order server, found another process on it`,
          details: { port: settings.port },
        })
      : new CutoverError("CUTOVER_INTERNAL", {
          message: `the server ended while it started; see ${files.serverLog}`,
        });
  }
  throw new CutoverError("CUTOVER_INTERNAL", {
    message: `the server did not answer within ${startLimitMs / 1_000} s; see ${files.serverLog}`,
  });
}

/**
 * Calls the server on behalf of the crossing; starts it first when it is gone. When it goes away in the middle the call
 * is made again: all calls of the crossing may be repeated.
 */
export async function callServer(
  workDir: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt++) {
    await keepAnswering(workDir);
    const record = readRecord<ServerRecord>(places(workDir).server);
    try {
      const answer = await ask(record?.port ?? 0, method, path, body, callLimitMs);
      if (answer.code < 400) return answer;
      throw new CutoverError("CUTOVER_STEP_FAILED", {
        message: `expected ${method} ${path} to succeed, found ${answer.code}: ${JSON.stringify(answer.body).slice(0, 300)}`,
        details: { code: answer.code, path },
      });
    } catch (error) {
      if (isCutoverError(error) || attempt === callTries) throw error;
      await wait(200);
    }
  }
}

/** A step during which the server (and its load) is watched and started again when it is gone. */
export function served(workDir: string, step: Step): Step {
  const { kind } = step;
  const watched = async <T>(context: StepContext, work: () => Promise<T>): Promise<T> => {
    await keepAnswering(workDir);
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      keepAnswering(workDir)
        .then(
          (outcome) => outcome === "started" && context.log.warn("the server was gone and was started again"),
        )
        .catch((error: unknown) => context.log.error(`the server does not answer: ${String(error)}`))
        .finally(() => (busy = false));
    }, watchMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  };
  const around: Partial<StepKind> = {
    start: (context) => watched(context, () => kind.start(context)),
    ...(kind.rollback === undefined
      ? {}
      : { rollback: (context) => watched(context, async () => await kind.rollback?.(context)) }),
  };
  // The kind keeps everything else it is, methods of a class included.
  return { ...step, kind: Object.assign(Object.create(kind) as StepKind, around) };
}

const isServer = ({ pid }: ServerRecord): boolean => runsScript(pid, serverScript);

async function portAnswers(port: number): Promise<boolean> {
  return await ask(port, "GET", "/health", undefined, 1_000).then(
    () => true,
    () => false,
  );
}
