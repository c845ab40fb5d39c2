import { request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError } from "cutover";
import { places, readRecord, type ServiceRecord } from "../settings.ts";

export interface Health {
  readonly pid: number;
  readonly side: "old" | "new";
  readonly epoch: number;
  /** Workers take new tasks. */
  readonly taking: boolean;
  /** Tasks that are being worked on. */
  readonly running: number;
  /** Transactions that waited for a turn of the switch. */
  readonly waits: number;
  readonly longestWaitMs: number;
  readonly gaveBack: number;
}

/** How long a service that was killed may take until it is there again: `start.ts` starts it. */
const patienceMs = 20_000;

/** Asks the service; again for a while when it is away. */
export async function callService(dir: string, method: string, path: string): Promise<unknown> {
  for (const until = Date.now() + patienceMs; ; await wait(100)) {
    const answer = await ask(readRecord<ServiceRecord>(places(dir).service)?.port ?? 0, method, path);
    if (answer.code === 200) return answer.body;
    if (Date.now() < until) continue;
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `expected the service to answer ${method} ${path}, found ${answer.code === 0 ? "none" : answer.code}`,
      remedy: `look into ${places(dir).serviceLog}`,
    });
  }
}

export const health = async (dir: string): Promise<Health> =>
  (await callService(dir, "GET", "/health")) as Health;

/** With false, what runs ends and nothing new is taken. */
export const takeWork = async (dir: string, take: boolean): Promise<{ readonly running: number }> =>
  (await callService(dir, "POST", `/work?take=${take ? "yes" : "no"}`)) as { readonly running: number };

function ask(port: number, method: string, path: string): Promise<{ code: number; body: unknown }> {
  return new Promise((resolve) => {
    const asked = request({ host: "127.0.0.1", port, path, method, timeout: 5_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", () => resolve({ code: 0, body: undefined }));
      response.once("end", () =>
        resolve({
          code: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown,
        }),
      );
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve({ code: 0, body: undefined }));
    asked.end();
  });
}
