import { Agent, request } from "node:http";

/** One answer of the work-order server. */
export interface HttpAnswer {
  readonly code: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Connections are kept; they never keep the process alive. */
const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** Asks the server on the loopback interface. Rejects when it does not answer within `timeoutMs`. */
export function ask(
  port: number,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs = 15_000,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, method, path, agent, timeout: timeoutMs }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const isJson = answer.headers["content-type"] === "application/json";
        try {
          resolve({
            code: answer.statusCode ?? 0,
            body: isJson ? JSON.parse(text) : text,
            headers: answer.headers,
          });
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    call.once("timeout", () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    call.once("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
