import { CutoverError } from "../../core/index.ts";

/** Where a server of stages answers: the socket of a folder's owner, or `cutover serve` somewhere. */
export type ServerAddress =
  | { readonly socketPath: string }
  | {
      readonly secure: boolean;
      readonly host: string;
      readonly port: number;
      /** Before every path, when the server stands behind a proxy; empty or `/base`. */
      readonly base: string;
      readonly token: string | undefined;
    };

/**
 * Reads the address of a server: `http://host:port` or `https://…`, with a path where a proxy asks for one.
 * @throws CUTOVER_ROLLOUT_INVALID for anything else; a password in it is not said again
 */
export function readServerAddress(url: string, token: string | undefined): ServerAddress {
  const found = URL.canParse(url) ? new URL(url) : undefined;
  if (found === undefined || (found.protocol !== "http:" && found.protocol !== "https:"))
    throw invalid("url", "http://HOST:PORT or https://HOST", found?.protocol ?? "no URL");
  if (found.username !== "" || found.password !== "")
    throw invalid(
      "url",
      "a URL without a name and a password",
      "one with them",
      "give the server's token as `token`",
    );
  if (found.search !== "" || found.hash !== "")
    throw invalid("url", "a URL without ? and #", "one with them");
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw invalid("token", "visible ASCII characters", `${token.length} characters, not all of them such`);
  const secure = found.protocol === "https:";
  return {
    secure,
    host: found.hostname.replace(/^\[|\]$/g, ""),
    port: found.port === "" ? (secure ? 443 : 80) : Number(found.port),
    base: found.pathname.replace(/\/+$/, ""),
    token,
  };
}

/** For people: no token. */
export function shownAddress(address: ServerAddress): string {
  if ("socketPath" in address) return address.socketPath;
  const { secure, host, port, base } = address;
  return `${secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}${base}`;
}

function invalid(place: string, expected: string, found: string, remedy?: string): CutoverError {
  return new CutoverError("CUTOVER_ROLLOUT_INVALID", {
    message: `expected ${expected}, found ${found}`,
    place: `createRollout.${place}`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
