import { mkdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { asError, CutoverError, type Log, visible } from "../../core/index.ts";
import { askDecision } from "../../engine/index.ts";
import { createStoreServer, readToken, type ServerChange, type StoreServer } from "../../server/index.ts";
import type { Store } from "../../store/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import {
  carriedBy,
  carrierOf,
  findOwner,
  hasStore,
  openBeside,
  ownStore,
  shownStore,
} from "../reach-store.ts";

const usualHost = "127.0.0.1";
const usualPort = 4170;
/** Doors that come and go are told of at most this often. */
const tellDoorsMs = 1_000;

export const command: Command = {
  usage: "serve [--host ADDRESS] [--port N] [--token-file FILE]",
  help: [
    "Answers on TCP what the owner of a store answers on its socket, so that applications on any machine can follow the stages: createRollout({ url, token }). A folder is answered for through the process that owns it, whenever there is one; a shared store (sqlite:FILE, postgres://…) directly.",
    "Without a token it listens on this machine alone, where anybody may read and doors may report; what a person decides needs the token. With a token (--token-file or CUTOVER_TOKEN) every call needs it: Authorization: Bearer TOKEN. It speaks plain HTTP; across networks you do not trust, put it behind a proxy that speaks TLS.",
    "GET /metrics gives the figures of runs, routes and queues for Prometheus. Ctrl-C ends it: streams end, doors keep their stage and connect again when it is back.",
  ],
  options: {
    host: { type: "string", value: "ADDRESS", help: `where to listen (default ${usualHost})` },
    port: { type: "string", value: "N", help: `0 for any free one (default ${usualPort})` },
    "token-file": {
      type: "string",
      value: "FILE",
      help: "its first line is the token (default CUTOVER_TOKEN)",
    },
  },
  words: 0,
  async run(context) {
    const { args, interrupted } = context;
    const host = args.text("host") ?? usualHost;
    const port = portOf(args.text("port"));
    const token = tokenOf(context);
    const fresh = !hasStore(context);
    if (context.shared === undefined) mkdirSync(context.store, { recursive: true });
    await using store = await openBeside(context, logOf(context));
    const teller = new Teller(context);
    await using server = await open(context, store, { host, port, token, teller });
    teller.greet(server, { guarded: token !== undefined, fresh });
    if (!interrupted.aborted)
      await new Promise<void>((over) => interrupted.addEventListener("abort", () => over(), { once: true }));
    teller.end();
    await server.close();
    teller.say("stopped", "stopped: doors keep their stages and look for it again");
    return 0;
  },
};

function open(
  context: CommandContext,
  store: Store,
  {
    token,
    teller,
    ...where
  }: {
    readonly host: string;
    readonly port: number;
    readonly token: string | undefined;
    readonly teller: Teller;
  },
): Promise<StoreServer> {
  const { clock, pid, version } = context;
  const alone = <T>(write: (store: Store) => Promise<T>): Promise<T> =>
    context.shared === undefined ? ownStore(context, write) : write(store);
  return createStoreServer({
    ...where,
    ...(token === undefined ? {} : { token }),
    store,
    clock,
    log: logOf(context),
    pid,
    version,
    owner: () => findOwner(context)?.owner.socket,
    alone,
    decide: (run, decision) =>
      alone((owned) => askDecision({ store: owned, clock, ...carrierOf(context) }, run, decision)),
    nobodyCarries: async (run) =>
      context.shared === undefined
        ? findOwner(context) === undefined
        : (await carriedBy(context, store, run)) === undefined,
    onChange: (change) => teller.change(change),
  });
}

function portOf(text: string | undefined): number {
  if (text === undefined) return usualPort;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a port from 0 to 65535 for --port, found ${JSON.stringify(text.slice(0, 60))}`,
  });
}

/** The first line of `--token-file`, else CUTOVER_TOKEN: a token on the command line would stand in every list of processes. */
function tokenOf({ args, cwd }: CommandContext): string | undefined {
  const file = args.text("token-file");
  if (file === undefined) {
    const found = process.env["CUTOVER_TOKEN"];
    return found === undefined || found === "" ? undefined : readToken(found, "CUTOVER_TOKEN");
  }
  let content: string;
  try {
    content = readFileSync(resolve(cwd, file), "utf8");
  } catch (cause) {
    throw new CutoverError("CUTOVER_TOKEN_REQUIRED", {
      message: `expected a file with the token, found: ${asError(cause).message}`,
      place: file,
      remedy: "make one: head -c 32 /dev/urandom | base64 > FILE; chmod 600 FILE",
      cause,
    });
  }
  return readToken(content.split("\n", 1)[0]?.trim() ?? "", file);
}

function logOf({ terminal, json }: CommandContext): Log {
  const say = (message: string): void => {
    if (json) terminal.json({ type: "problem", text: message }, true);
    else terminal.aside([span("! ", "wait"), span(visible(message))]);
  };
  return { debug: () => {}, info: () => {}, warn: say, error: say };
}

/** Says what happens: lines with their time, or NDJSON. */
class Teller {
  readonly #context: CommandContext;
  #told = 0;
  #doors = 0;
  #due = false;
  #over = false;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  greet(
    { url, port }: StoreServer,
    { guarded, fresh }: { readonly guarded: boolean; readonly fresh: boolean },
  ): void {
    const { json, terminal, pid } = this.#context;
    const store = shownStore(this.#context);
    if (json) {
      terminal.json({ type: "serving", url, port, store, token: guarded, fresh, pid }, true);
      return;
    }
    terminal.line([span("serving ", "bold"), span(`${store} on `), span(url, "bold")]);
    terminal.line([
      span(
        guarded
          ? "  every call needs the token"
          : "  this machine only; reading and reports are open, decisions are refused without a token",
        "dim",
      ),
    ]);
    if (fresh) terminal.line([span("  a new store: nothing was recorded here yet", "wait")]);
    terminal.line([
      span("  in an application: ", "dim"),
      span(`createRollout({ url: "${url}"${guarded ? ", token" : ""} })`),
    ]);
  }

  change(change: ServerChange): void {
    if (change.type === "owner") {
      const text =
        change.socket === null
          ? "nobody owns the folder: answering from the record"
          : `a process owns the folder: calls go to ${change.socket}`;
      this.say("owner", text, { socket: change.socket });
      return;
    }
    this.#doors = change.doors;
    if (this.#due) return;
    this.#due = true;
    this.#context.clock
      .after(tellDoorsMs, () => {
        this.#due = false;
        this.#tellDoors();
      })
      .unref();
  }

  end(): void {
    this.#over = true;
  }

  say(type: string, text: string, more: Readonly<Record<string, unknown>> = {}): void {
    const { json, terminal, clock } = this.#context;
    if (json) terminal.json({ type, at: clock.now(), ...more, text }, true);
    else terminal.line(`${new Date(clock.now()).toISOString().slice(11, 19)}  ${text}`);
  }

  #tellDoors(): void {
    if (this.#over || this.#doors === this.#told) return;
    const change = this.#doors - this.#told;
    this.#told = this.#doors;
    this.say(
      "doors",
      `${this.#doors} ${this.#doors === 1 ? "door follows" : "doors follow"} (${change > 0 ? "+" : ""}${change})`,
      {
        doors: this.#doors,
      },
    );
  }
}
