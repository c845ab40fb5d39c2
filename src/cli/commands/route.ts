import {
  answeredByNew,
  CutoverError,
  type RouteState,
  type Stage,
  stages,
  visible,
} from "../../core/index.ts";
import { routeCoverage, type RouteCoverage, sharePercent } from "../../report/index.ts";
import { livingDeclarations } from "../../store/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { reasonOf, reasonOption } from "../decide.ts";
import { coverageTable } from "../draw/coverage-table.ts";
import { type Line, span } from "../draw/line.ts";
import { pad, textWidth } from "../draw/text-width.ts";
import { awaitOwner, findOwner, hasStore, ownStore, readStore, shownStore } from "../reach-store.ts";

export const command: Command = {
  usage: "route [NAME] [--stage STAGE] [--share PERCENT] --reason TEXT",
  help: [
    "Without options: shows one route, with what was compared of it by operation and cohort, or all. With --stage or --share: moves it by hand, without evidence; that is recorded as an override with your name and reason and stands in every report.",
    "A step that holds the route at a stage or share of its own fails when it is moved by hand, and the run goes back.",
    `Stages: ${stages.join(", ")}. Share: percentage of keys the new side answers at stage live.`,
  ],
  options: {
    stage: { type: "string", value: "STAGE", help: "off, dualwrite, shadow, live, rampdown or complete" },
    share: { type: "string", value: "PERCENT", help: "0 to 100, decimals allowed" },
    epoch: { type: "string", value: "N", help: "refuse when the route has changed since this epoch" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const [name] = context.args.positionals;
    const stage = stageOf(context.args.text("stage"));
    const share = shareOf(context.args.text("share"));
    if (stage === undefined && share === undefined) {
      const routes = await readRoutes(context);
      const known = name !== undefined && routes.some((state) => state.route === name);
      show(context, routes, name, known ? await readCoverage(context, name) : undefined);
      return 0;
    }
    if (name === undefined) {
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected the name of a route, found none",
        remedy: "usage: cutover route NAME --stage STAGE --share PERCENT --reason TEXT",
      });
    }
    const state = await move(context, name, stage, share);
    if (context.json) context.terminal.json(state);
    else
      context.terminal.line([
        span("✔ ", "good"),
        ...routeLine(state, textWidth(name)),
        span("   recorded as an override", "wait"),
      ]);
    return 0;
  },
};

async function readRoutes(context: CommandContext): Promise<readonly RouteState[]> {
  const owner = findOwner(context);
  if (owner !== undefined) return owner.get<readonly RouteState[]>("/v1/routes");
  return (await readStore(context, (store) => store.routes.list())) ?? [];
}

async function readCoverage(context: CommandContext, route: string): Promise<RouteCoverage | undefined> {
  const owner = findOwner(context);
  if (owner !== undefined)
    return owner.get<RouteCoverage>(`/v1/routes/${encodeURIComponent(route)}/coverage`);
  return readStore(context, async (store) =>
    routeCoverage(
      await store.routes.intervals({ route, since: 0 }),
      await livingDeclarations(store, route),
      await store.routes.mismatches(route),
    ),
  );
}

async function move(
  context: CommandContext,
  route: string,
  stage: Stage | undefined,
  share: number | undefined,
): Promise<RouteState> {
  const known = (await readRoutes(context)).find((state) => state.route === route);
  const epoch = context.args.text("epoch");
  const next = stage ?? known?.stage ?? "off";
  const order = {
    stage: next,
    share:
      share ?? (next === "complete" ? 100 : next === "live" || next === "rampdown" ? (known?.share ?? 0) : 0),
    by: context.by,
    reason: reasonOf(context, "route"),
    ...(epoch === undefined ? {} : { epoch: wholeNumber(epoch) }),
  };
  const owner = await awaitOwner(context);
  if (owner !== undefined) return owner.post<RouteState>(`/v1/routes/${encodeURIComponent(route)}`, order);
  if (!hasStore(context)) {
    throw new CutoverError("CUTOVER_ROUTE_UNKNOWN", {
      message: `expected a route that is known here, found ${JSON.stringify(route)} and no store in ${shownStore(context)}`,
    });
  }
  const { orderRoute } = await import("../../server/index.ts");
  return ownStore(context, (store) => orderRoute(store, undefined, route, order));
}

function stageOf(text: string | undefined): Stage | undefined {
  if (text === undefined) return undefined;
  const stage = stages.find((each) => each === text);
  if (stage !== undefined) return stage;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a stage, found ${JSON.stringify(text)}`,
    remedy: `use one of: ${stages.join(", ")}`,
  });
}

function shareOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const share = /^\d{1,3}(\.\d+)?\s*%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (share >= 0 && share <= 100) return share;
  throw new CutoverError("CUTOVER_SHARE_INVALID", {
    message: `expected a percentage from 0 to 100, found ${JSON.stringify(text)}`,
  });
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a whole number for --epoch, found ${JSON.stringify(text)}`,
  });
}

function show(
  context: CommandContext,
  routes: readonly RouteState[],
  name: string | undefined,
  coverage: RouteCoverage | undefined,
): void {
  const shown = name === undefined ? routes : routes.filter((state) => state.route === name);
  if (name !== undefined && shown.length === 0) {
    throw new CutoverError("CUTOVER_ROUTE_UNKNOWN", {
      message: `expected a route of this store, found ${JSON.stringify(name)}`,
      ...(routes.length === 0
        ? {}
        : { remedy: `name one of: ${routes.map((state) => visible(state.route)).join(", ")}` }),
    });
  }
  if (context.json) {
    context.terminal.json(name === undefined ? shown : { ...shown[0], coverage });
    return;
  }
  if (shown.length === 0) context.terminal.line("no routes yet: a migration or an application declares them");
  const width = Math.max(0, ...shown.map((state) => textWidth(state.route)));
  for (const state of shown) context.terminal.line(routeLine(state, width));
  if (coverage !== undefined) for (const line of coverageTable(coverage)) context.terminal.line(line);
}

const routeLine = (state: RouteState, width: number): Line => [
  span(pad(state.route, width), "bold"),
  span(`  ${pad(state.stage, 9)} ${pad(sharePercent(answeredByNew(state)), 7, "left")}`),
  span(`   epoch ${state.epoch}`, "dim"),
];
