import {
  type Duration,
  type Json,
  type JsonObject,
  markPlace,
  type Stage,
  stages,
} from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepProblem } from "../../plan/index.ts";
import { moveRoute, requireStage } from "./change-route.ts";
import { awaitDoors } from "./heard.ts";
import { askSaved, finish, goBack, routeKinds, type Saved, savedOrNew } from "./saved.ts";
import { awaitSecondWrites, writesTwice } from "./second-writes.ts";
import { given, ms, optionsOf, placement, Problems, type StepPlacement, unknownIn } from "./step-input.ts";

export interface SetStageOptions extends StepPlacement {
  /** Percentage of keys for stage `live`. Default 0 there; no other stage has one. */
  readonly share?: number;
  /** Longest time that missing second writes may keep the stage from advancing; then it fails. Default 24 h. */
  readonly patience?: Duration;
}

const known: Readonly<Record<Exclude<keyof SetStageOptions, keyof StepPlacement>, true>> = {
  share: true,
  patience: true,
};

interface SetStageInput {
  readonly route: string;
  readonly stage: Stage;
  readonly share: number;
  readonly patience: Duration;
}

/**
 * A step that sets a stage, for example `dualwrite` before a copy, or `complete` at the end. It waits for missing second writes
 * where it goes forward, and at stages with second writes (`dualwrite`, `rampdown`) until every door that reports has heard of it. The way back is the stage of before.
 */
export function setStage(route: string, stage: Stage, setOptions: SetStageOptions = {}): Step {
  const options = optionsOf(setOptions);
  const { patience = "24h" } = options;
  const input = given({
    route,
    stage,
    share: options.share ?? 0,
    patience,
    estimate: options.estimate,
    unknown: unknownIn(setOptions, known),
  });
  return markPlace(
    { ...placement("set-stage", options), kind: setStageKind(ms(patience)), input } as Step,
    setStage as (...args: never[]) => unknown,
  );
}

const read = (input: Json): SetStageInput => input as unknown as SetStageInput;

const summary = ({ route, stage, share }: SetStageInput): string =>
  `set ${route} to ${stage}${stage === "live" ? ` ${share} %` : ""}`;

const setStageKind = (patience: number): StepKind => ({
  kind: routeKinds.setStage,
  reversible: true,
  timeoutMs: (Number.isFinite(patience) ? patience : 0) + 3_600_000,
  validate: problems,
  summary: (input) => summary(read(input)),
  plan: (input) => {
    const { estimate } = input as { readonly estimate?: number };
    return {
      summary: summary(read(input)),
      estimateMs: estimate === undefined ? 0 : ms(estimate),
      touches: [`stage of ${read(input).route}`],
    };
  },
  start,
  simulate: start,
  // The stage alone does not say that the doors have heard of it; setting it again changes nothing.
  verify: async (context) => askSaved(context),
  rollback: (context) => goBack(context, read(context.input).route),
});

function problems(input: Json): readonly StepProblem[] {
  const found = new Problems();
  const { route, stage, share, patience, unknown, estimate } = input as JsonObject;
  found.unknown(unknown, known);
  found.duration("estimate", estimate);
  found.route(route);
  found.duration("patience", patience);
  if (!stages.includes(stage as Stage))
    found.add("stage", `one of ${stages.join(", ")}`, stage, "see the stages in the docstring of route()");
  if (!(typeof share === "number" && share >= 0 && share <= 100))
    found.add("share", "a percentage from 0 to 100", share, "leave it out unless the stage is live");
  else if (share > 0 && stage !== "live")
    found.add("share", "absent at a stage other than live", share, 'use stage "live" to give a share');
  return found.list;
}

async function start(context: StepContext): Promise<Json> {
  const { route, stage, share, patience } = read(context.input);
  const saved = await savedOrNew<Saved>(context, route, (before) => ({ before }));
  await requireStage(context, route, stage);
  await awaitSecondWrites(context, route, { stage, share }, { patience: ms(patience) });
  const state = await moveRoute(context, route, { stage, share }, false);
  const { epoch } = state;
  if (writesTwice(state)) await awaitDoors(context, state, { patience: ms(patience) });
  return await finish(context, saved, { note: summary(read(context.input)), epoch });
}
