import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { asError } from "../../core/index.ts";
import { count } from "../../report/index.ts";
import { readOwner, type Store } from "../../store/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { databaseOf, findOwner, readStore, routesFileOf } from "../reach-store.ts";

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly note: string;
}

/** Less room than this on the store's disk is called a problem: a busy run writes some MB an hour. */
const leastRoom = 100 * 1024 * 1024;

export const command: Command = {
  usage: "doctor",
  help: [
    "Looks at Node, the folder, its disk, the owner, the record and the files kept beside it. Changes nothing. Exit code 6 when something stands in the way.",
  ],
  options: {},
  words: 0,
  async run(context) {
    const findings = [
      nodeFinding(),
      folderFinding(context),
      roomFinding(context),
      // Nobody owns a store that many share.
      ...(context.shared === undefined ? [await ownerFinding(context)] : []),
      ...(await recordFindings(context)),
    ];
    const well = findings.every((finding) => finding.ok);
    if (context.json) context.terminal.json({ well, findings });
    else {
      for (const { ok, what, note } of findings) {
        context.terminal.line([
          span(ok ? " ✔ " : " ✖ ", ok ? "good" : "bad"),
          span(what.padEnd(10)),
          span(note),
        ]);
      }
    }
    return well ? 0 : 6;
  },
};

const nodeFinding = (): Finding => ({
  what: "node",
  ok: process.features.typescript !== false,
  note:
    process.features.typescript === false
      ? `${process.versions.node}, started without type stripping: remove --no-strip-types from NODE_OPTIONS`
      : `${process.versions.node}, strips types, SQLite ${process.versions["sqlite"] ?? "built in"}`,
});

function folderFinding({ store }: CommandContext): Finding {
  const existing = existsSync(store) ? store : dirname(store);
  try {
    if (!statSync(existing).isDirectory())
      return {
        what: "folder",
        ok: false,
        note: `${existing} is a file: move it away, or name another --store`,
      };
    accessSync(existing, constants.W_OK | constants.R_OK);
    return { what: "folder", ok: true, note: existing === store ? store : `${store} (not made yet)` };
  } catch (error) {
    return { what: "folder", ok: false, note: `${existing} cannot be written: ${asError(error).message}` };
  }
}

function roomFinding({ store }: CommandContext): Finding {
  const { bavail, bsize } = statfsSync(existsSync(store) ? store : dirname(store));
  const free = bavail * bsize;
  return { what: "disk", ok: free >= leastRoom, note: `${count(free / 1024 / 1024)} MB free` };
}

async function ownerFinding(context: CommandContext): Promise<Finding> {
  const owner = readOwner(context.store);
  if (owner === undefined) {
    const left = existsSync(join(context.store, "owner.json"));
    return {
      what: "owner",
      ok: true,
      note: left ? "nobody; the last one ended without saying so" : "nobody",
    };
  }
  const client = findOwner(context);
  if (client === undefined)
    return { what: "owner", ok: true, note: `process ${owner.pid ?? "?"}, for a moment` };
  try {
    const health = await client.get<{ readonly pid: number; readonly version: string }>("/v1/health");
    const same = health.version === context.version;
    return {
      what: "owner",
      ok: same,
      note: `process ${health.pid} answers, version ${health.version}${same ? "" : `, but this is ${context.version}`}`,
    };
  } catch (error) {
    return { what: "owner", ok: false, note: asError(error).message };
  }
}

async function recordFindings(context: CommandContext): Promise<readonly Finding[]> {
  try {
    const findings = await readStore(context, async (store): Promise<readonly Finding[]> => {
      const chain = await store.events.verify({ orders: false });
      const routes = await store.routes.list();
      return [
        { what: "record", ok: true, note: store.description },
        {
          what: "audit",
          ok: chain.whole,
          note: chain.whole
            ? `${count(chain.events)} events, chain whole`
            : `broken at event ${chain.brokenAt}: ${chain.reason}`,
        },
        ...(context.shared === undefined
          ? [routesFinding(context, routes)]
          : await sharedFindings(context, store)),
      ];
    });
    return (
      findings ?? [
        {
          what: "record",
          ok: true,
          note: `none yet in ${context.shared?.shown ?? databaseOf(context.store)}`,
        },
      ]
    );
  } catch (error) {
    return [{ what: "record", ok: false, note: asError(error).message }];
  }
}

/** A wall clock that is far from the store's makes times in logs hard to compare; it moves no lease. */
const farMs = 5_000;

async function sharedFindings({ clock }: CommandContext, store: Store): Promise<readonly Finding[]> {
  const apart = Math.abs(clock.now() - store.clock.now());
  const queues = await store.orders.queues();
  return [
    {
      what: "clock",
      ok: apart < farMs,
      note:
        apart < farMs
          ? "agrees with the store"
          : `differs from the store by ${Math.round(apart / 1_000)} s: set it`,
    },
    { what: "queues", ok: true, note: queues.length === 0 ? "none" : queues.join(", ") },
  ];
}

function routesFinding(
  { store }: CommandContext,
  routes: readonly { readonly route: string; readonly epoch: number }[],
): Finding {
  if (routes.length === 0) return { what: "routes", ok: true, note: "none" };
  try {
    const kept = JSON.parse(readFileSync(routesFileOf(store), "utf8")) as {
      readonly routes: readonly { readonly route: string; readonly epoch: number }[];
    };
    const behind = routes.filter(
      ({ route, epoch }) => !kept.routes.some((each) => each.route === route && each.epoch === epoch),
    );
    const note =
      behind.length === 0
        ? `${routes.length}, routes.json agrees`
        : `routes.json differs on ${behind.map(({ route }) => route).join(", ")}`;
    return { what: "routes", ok: behind.length === 0, note };
  } catch (error) {
    return { what: "routes", ok: false, note: `routes.json cannot be read: ${asError(error).message}` };
  }
}
