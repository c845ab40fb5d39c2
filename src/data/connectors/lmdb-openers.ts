import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import type { Clock } from "../../core/index.ts";
import { listening, longestSocketPath } from "../socket-listen.ts";

const entryEnd = ".open";
/** The socket lies beside the entry, whatever the folder is called from where it is seen. */
const beside = "beside";

const entryOf = (folder: string, name: string): string => join(folder, `${name}${entryEnd}`);
const socketOf = (folder: string, name: string): string => join(folder, `${name}.sock`);

/** Listens at an address of its own and resolves with what the entry is to say. */
export async function addressOf(folder: string, name: string, server: Server): Promise<string> {
  const near = socketOf(folder, name);
  const pipe = sep === "\\";
  const far = pipe ? `\\\\.\\pipe\\cutover-${name}` : socketOf(tmpdir(), `cutover-${name}`);
  const short = !pipe && Buffer.byteLength(near) <= longestSocketPath;
  await listening(server, short ? near : far);
  return short ? beside : far;
}

/** Tells others of this process. The entry appears whole or not at all. */
export function say(folder: string, name: string, address: string): void {
  const fresh = join(folder, `${name}.new`);
  writeFileSync(fresh, address);
  renameSync(fresh, entryOf(folder, name));
}

export function withdraw(folder: string, name: string): void {
  for (const path of [entryOf(folder, name), socketOf(folder, name)]) rmSync(path, { force: true });
}

/** Others who were asked. */
interface Holding {
  /** Those who have not said that they hold their writes, or do not any more. None: nobody writes until `release`. */
  missing(): readonly string[];
  release(): void;
}

/** Asks all who are there to hold their writes, and waits at most `ms` milliseconds. Takes away what dead ones left. */
export async function askOthers(
  folder: string,
  self: string,
  { clock, ms }: { readonly clock: Clock; readonly ms: number },
): Promise<Holding> {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(entryEnd))
    .map((file) => file.slice(0, -entryEnd.length))
    .filter((name) => name !== self);
  const asked = names.map((name) => new Asked(folder, name, self));
  await Promise.race([
    Promise.all(asked.map(({ answer }) => answer)),
    new Promise<void>((resolve) => {
      const timer = clock.after(ms, resolve);
      void Promise.all(asked.map(({ answer }) => answer)).then(() => timer.cancel());
    }),
  ]);
  return {
    missing: () => asked.filter(({ state }) => state !== "held" && state !== "gone").map(({ name }) => name),
    release: () => {
      for (const each of asked) each.end();
    },
  };
}

/** One who was asked. */
class Asked {
  readonly name: string;
  /** Settles when it has said that it holds, or is not there any more. Never rejects. */
  readonly answer: Promise<void>;
  state: "asked" | "held" | "gone" | "lost" = "asked";
  #socket: Socket | undefined;

  constructor(folder: string, name: string, self: string) {
    this.name = name;
    this.answer = new Promise((resolve) => {
      const settle = (state: "held" | "gone" | "lost"): void => {
        this.state = state;
        resolve();
      };
      let address: string;
      try {
        address = readFileSync(entryOf(folder, name), "utf8");
      } catch {
        return settle("gone");
      }
      const socket = connect(address === beside ? socketOf(folder, name) : address);
      this.#socket = socket;
      let heard = "";
      socket.on("connect", () => socket.write(`${self}\n`));
      socket.on("data", (part) => {
        heard += part.toString();
        if (heard === "held\n") settle("held");
      });
      socket.on("error", ({ code }: NodeJS.ErrnoException) => {
        // Nobody listens: it ended without a farewell.
        if (code !== "ECONNREFUSED" && code !== "ENOENT") return settle("lost");
        withdraw(folder, name);
        settle("gone");
      });
      // It let go, or ended: whoever is there is asked once more.
      socket.on("close", () => {
        if (this.state !== "gone") settle("lost");
      });
    });
  }

  end(): void {
    this.#socket?.destroy();
  }
}
