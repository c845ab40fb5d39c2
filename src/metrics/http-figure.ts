import { env } from "node:process";
import type { MeanWindow } from "../plan/index.ts";
import type { OptionProblems } from "./source-options.ts";

/** A header's value: a text, or where in the environment it stands, so that no secret is in a definition. */
export type HeaderValue = string | { readonly env: string; readonly prefix?: string };

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /** Name of the environment variable that holds a token, sent as `Authorization: Bearer …`. */
  readonly bearerFrom?: string;
}

export const httpOptionNames: readonly string[] = ["headers", "bearerFrom"];

/** An answer longer than this is no figure's, bytes. */
const longestAnswer = 4_194_304;

export function httpProblems(problems: OptionProblems, { headers, bearerFrom }: HttpOptions): void {
  if (bearerFrom !== undefined) problems.text("bearerFrom", bearerFrom);
  if (headers === undefined) return;
  const isRecord = typeof headers === "object" && headers !== null && !Array.isArray(headers);
  problems.expect(isRecord, "`headers` to be an object", headers);
  if (!isRecord) return;
  for (const [name, value] of Object.entries(headers)) {
    const at = `headers["${name}"]`;
    problems.expect(/^[!#$%&'*+.^_`|~\w-]+$/.test(name), "a header's name", name);
    if (typeof value === "string") continue;
    const given: unknown = value;
    const good = typeof given === "object" && given !== null && "env" in given;
    problems.expect(good && typeof given.env === "string", `${at} to be a text or { env: "NAME" }`, value);
  }
}

/** Names of headers and variables, never their values: what stands in the definition's hash. */
export const httpText = ({ headers = {}, bearerFrom }: HttpOptions): string =>
  JSON.stringify([
    Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? null : value]),
    bearerFrom,
  ]);

/**
 * GETs a text. Redirects are not followed, so that no token goes elsewhere.
 * @throws for a missing variable, an answer that is no 2xx, or too long
 */
export async function getText(url: string, options: HttpOptions, signal: AbortSignal): Promise<string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name] = typeof value === "string" ? value : `${value.prefix ?? ""}${fromEnvironment(value.env)}`;
  if (options.bearerFrom !== undefined)
    headers["authorization"] = `Bearer ${fromEnvironment(options.bearerFrom)}`;
  const response = await fetch(url, { headers, signal, redirect: "manual" }).catch((error: unknown) => {
    throw new Error(`expected an answer, found ${reasonOf(error)}`, { cause: error });
  });
  const text = await bounded(response);
  if (!response.ok) {
    const more = text.trim() === "" ? "" : `: ${text.trim().replaceAll(/\s+/g, " ").slice(0, 200)}`;
    throw new Error(`expected HTTP 200, found ${response.status}${more}`);
  }
  return text;
}

function fromEnvironment(name: string): string {
  const value = env[name];
  if (value === undefined || value === "")
    throw new Error(`expected the environment variable ${name} to hold a secret, found nothing`);
  return value;
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message ?? String(error);
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const body = response.body?.getReader();
  while (body !== undefined) {
    const { done, value } = await body.read().catch((error: unknown) => {
      throw new Error(`expected a whole answer, found it broken off: ${reasonOf(error)}`, { cause: error });
    });
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length <= longestAnswer) continue;
    body.cancel().catch(() => {});
    throw new Error(`expected at most ${longestAnswer} bytes, found more`);
  }
  return Buffer.concat(parts).toString("utf8");
}

/**
 * `{from}` and `{to}` in an address become the stretch's bounds, wall-clock milliseconds.
 * @throws where the address names a stretch and none is asked for, as by `value`
 */
export function forWindow(url: string, window: MeanWindow | undefined): string {
  if (!/\{(from|to)\}/.test(url)) return url;
  if (window === undefined)
    throw new Error(
      "expected a stretch of time for {from} and {to}, found a reading of now: use it in `mean`",
    );
  return url.replaceAll("{from}", String(window.from)).replaceAll("{to}", String(window.to));
}
