import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { CutoverError } from "../core/index.ts";
import { refuse } from "./shape.ts";

/** What a door reports. Without a token it is taken from this machine; anything else that writes is a person's decision. */
const reports: ReadonlySet<string> = new Set(["/v1/doors", "/v1/intervals", "/v1/mismatches"]);
const shortestToken = 16;

/** True for a name or address that only processes of this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * The token as it is compared: at least 16 visible ASCII characters.
 * @throws CUTOVER_TOKEN_REQUIRED; what was found is not said again
 */
export function readToken(token: string, place: string): string {
  if (token.length >= shortestToken && token.length <= 4_096 && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new CutoverError("CUTOVER_TOKEN_REQUIRED", {
    message: `expected a token of ${shortestToken} to 4096 visible ASCII characters, found ${token.length} characters${/^[\x21-\x7e]*$/.test(token) ? "" : ", not all of them visible ASCII"}`,
    place,
    remedy: "make one: head -c 32 /dev/urandom | base64",
  });
}

/**
 * Who may call. With a token: whoever shows it as `Authorization: Bearer TOKEN`. Without one the server listens on this
 * machine alone, where anybody may read and doors may report; decisions are refused, and so is whatever a web page in a
 * browser of this machine could send.
 */
export class Access {
  readonly #digest: Buffer | undefined;

  constructor(token: string | undefined) {
    this.#digest = token === undefined ? undefined : digest(token);
  }

  /** @throws CUTOVER_TOKEN_REQUIRED, CUTOVER_REQUEST_INVALID */
  admit(request: IncomingMessage, path: string): void {
    if (this.#digest !== undefined) return this.#requireToken(request, this.#digest);
    const { host = "", origin } = request.headers;
    // A page of another site can reach the loopback by a name of its own, or post without being asked for leave.
    const name = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host)?.[1] ?? "";
    if (!isLoopback(name)) refuse("host", "a name of this machine, such as 127.0.0.1", host.slice(0, 60));
    if (origin !== undefined && origin !== `http://${host}`)
      refuse("origin", "a request that no other site's page sent", origin.slice(0, 60));
    if (request.method === "GET" || request.method === "HEAD") return;
    if (!reports.has(path)) throw needed("none, because this server was started without one");
    const type = request.headers["content-type"] ?? "";
    if (!/^application\/json\s*(;|$)/i.test(type))
      refuse("content-type", "application/json", type.slice(0, 60));
  }

  #requireToken(request: IncomingMessage, wanted: Buffer): void {
    const given = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? "")?.[1];
    if (given === undefined) throw needed("none");
    // Digests, so that neither the time taken nor a length tells anything of the token.
    if (!timingSafeEqual(digest(given), wanted)) throw needed("another one");
  }
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();

const needed = (found: string): CutoverError =>
  new CutoverError("CUTOVER_TOKEN_REQUIRED", {
    message: `expected the server's token as "Authorization: Bearer TOKEN", found ${found}`,
    place: "authorization",
  });
