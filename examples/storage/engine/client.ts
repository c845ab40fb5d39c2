import { Agent, request } from "node:http";
import { CutoverError, type JsonObject } from "cutover";
import type { Health } from "./api.ts";
import { places } from "./places.ts";

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * One call of the engine's API.
 * @throws CUTOVER_DATA_UNAVAILABLE when it does not answer in time or answers with an error
 */
export function ask(
  dir: string,
  method: "GET" | "POST",
  path: string,
  body?: object,
  limitMs = 25_000,
): Promise<JsonObject> {
  const { api } = places(dir);
  return new Promise((resolve, reject) => {
    const unavailable = (why: string): void =>
      reject(
        new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
          message: `expected the engine to answer ${method} ${path}, found ${why}`,
          place: api,
        }),
      );
    const call = request({ socketPath: api, method, path, agent, timeout: limitMs }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", (error) => unavailable(error.message));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        if (response.statusCode !== 200) unavailable(`${response.statusCode}: ${text.slice(0, 300)}`);
        else resolve(JSON.parse(text) as JsonObject);
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${limitMs} ms`)));
    call.on("error", (error) => unavailable(error.message));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export const health = async (dir: string, limitMs = 2_000): Promise<Health> =>
  (await ask(dir, "GET", "/health", undefined, limitMs)) as unknown as Health;
