import { expect, test } from "vitest";
import type { RunRecord } from "../store/index.ts";
import { nextCommand } from "./next-command.ts";
import type { PhaseView, StepView } from "./run-view.ts";

const held = { id: "r1", state: "HOLDING", source: "crossing.ts", owner: null } as unknown as RunRecord;
const step = (id: string, state: StepView["state"], code?: string): StepView =>
  ({ id, state, error: code === undefined ? null : { code, message: "" } }) as unknown as StepView;
const commandFor = (...steps: readonly StepView[]): string =>
  nextCommand(held, [{ name: "copy", steps } as unknown as PhaseView], [], []).command;

test("a run that holds at a command nobody has read, or at an open outcome, leads to settling it", () => {
  expect(commandFor(step("copy/dump", "UNKNOWN", "CUTOVER_STEP_REVIEW"))).toBe(
    'cutover settle copy/dump not-done --reason "…"',
  );
  expect(commandFor(step("copy/a", "DONE"), step("copy/b", "UNKNOWN"))).toBe(
    'cutover settle copy/b done --reason "…"',
  );
});

test("a run that holds for a proof, or for anything else, is mended first and then resumed", () => {
  expect(commandFor(step("copy/claim", "UNKNOWN", "CUTOVER_STEP_UNPROVEN"))).toBe("cutover resume r1");
  expect(commandFor(step("copy/a", "RUNNING"))).toBe("cutover resume r1");
});
