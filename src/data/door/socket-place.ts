import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  type Stats,
} from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { storeError } from "../connectors/place.ts";
import { listening, longestSocketPath } from "../socket-listen.ts";

/** @throws CUTOVER_DATA_ADDRESS when the kernel would not take the path */
export function checkSocketPath(path: string, place: string): void {
  const bytes = Buffer.byteLength(path);
  if (path !== "" && bytes <= longestSocketPath && !path.includes("\0")) return;
  const found =
    path === "" ? "nothing" : bytes > longestSocketPath ? `one of ${bytes}` : "one with a zero byte";
  throw new CutoverError("CUTOVER_DATA_ADDRESS", {
    message: `expected the path of a socket of 1 to ${longestSocketPath} bytes, found ${found}`,
    place,
    remedy: "choose a short path, e.g. in /run, or one relative to the working directory",
  });
}

/**
 * Listens at `path` with mode 0600 and resolves with how to take the file away again. The socket is made in a folder that
 * only its owner may enter, and comes to its place with its mode: nobody else can reach it at any moment.
 *
 * What a dead server left at `path` is replaced; who loses a race for it is refused.
 * @throws CUTOVER_DATA_LOCKED when a living server answers there; CUTOVER_DATA_ADDRESS when something else lies there;
 * CUTOVER_DATA_DENIED
 */
export async function listenAt(server: Server, path: string, place: string): Promise<() => void> {
  const left = await deadSocket(path, place);
  let own: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    own = mkdtempSync(join(dirname(path), ".door-"));
    const fresh = join(own, "s");
    checkSocketPath(fresh, place);
    await listening(server, fresh);
    chmodSync(fresh, 0o600);
    if (left !== undefined) takeAway(path, join(own, "left"), left, place);
    putAt(fresh, path, place);
    const mine = lstatSync(path);
    return () => {
      // Another server may have taken the place of a file that somebody removed.
      if (sameFile(look(path), mine)) rmSync(path, { force: true });
    };
  } catch (error) {
    if (server.listening) server.close();
    throw storeError(error, place);
  } finally {
    if (own !== undefined) rmSync(own, { recursive: true, force: true });
  }
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

const sameFile = (one: Stats | undefined, other: Stats): boolean =>
  one !== undefined && one.ino === other.ino && one.dev === other.dev;

/** What a dead server left; undefined: nothing lies there. */
async function deadSocket(path: string, place: string): Promise<Stats | undefined> {
  let found: Stats | undefined;
  try {
    found = look(path);
  } catch (error) {
    throw storeError(error, place);
  }
  if (found === undefined) return undefined;
  if (!found.isSocket())
    throw new CutoverError("CUTOVER_DATA_ADDRESS", {
      message: `expected nothing or the socket of an ended server at ${path}, found ${found.isDirectory() ? "a folder" : "a file"}`,
      place,
      remedy: "choose another path; what lies there is not touched",
    });
  const answer = await tryConnecting(path);
  if (answer === "ENOENT" || answer === "ECONNREFUSED") return found;
  if (answer === "EACCES" || answer === "EPERM")
    throw storeError(Object.assign(new Error("permission denied"), { code: answer }), place);
  throw lived(path, place);
}

function lived(path: string, place: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_LOCKED", {
    message: `expected a socket that nobody listens at, found a living server at ${path}`,
    place,
    remedy: "end the process that serves there, or choose another path",
  });
}

/** The error's code, or undefined when somebody answered. */
function tryConnecting(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
}

/** Renamed first and looked at then: another server may have come to the place meanwhile, and gets it back. */
function takeAway(path: string, aside: string, left: Stats, place: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (sameFile(look(aside), left)) return;
  renameSync(aside, path);
  throw lived(path, place);
}

/** A link is refused where something lies; a rename would replace it. */
function putAt(fresh: string, path: string, place: string): void {
  try {
    linkSync(fresh, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw lived(path, place);
    throw error;
  }
}
