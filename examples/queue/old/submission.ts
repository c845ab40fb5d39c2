import { randomBytes } from "node:crypto";
import type { Submission, WorkOrder } from "./work-order.ts";

/** The request is not a work order: answered with 400 and this text. */
export class InvalidSubmission extends Error {}

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const agentTypes: readonly string[] = [
  "coder",
  "reviewer",
  "archiver",
  "planner",
  "fixer",
  "tester",
  "crawler",
];

/** Operations of the queue, for coverage: every kind of agent takes another way through the work. */
export const operations: readonly string[] = agentTypes;

/** Reads the body of `POST /work-orders`; fills in the old server's defaults. */
export function readSubmission(body: unknown): Submission {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new InvalidSubmission("body must be a JSON object");
  const given = body as Record<string, unknown>;
  const id = given["id"] ?? randomBytes(9).toString("base64url");
  if (typeof id !== "string" || !idPattern.test(id))
    throw new InvalidSubmission("id must be 1 to 64 letters, digits, - or _");
  const taskPrompt = given["taskPrompt"];
  if (typeof taskPrompt !== "string" || taskPrompt.length === 0 || taskPrompt.length > 4_000)
    throw new InvalidSubmission("taskPrompt must be a text of 1 to 4000 characters");
  const agentType = given["agentType"] ?? "coder";
  if (typeof agentType !== "string" || !agentTypes.includes(agentType))
    throw new InvalidSubmission(`agentType must be one of ${agentTypes.join(", ")}`);
  const childIds = given["childIds"] ?? [];
  if (!isIdList(childIds)) throw new InvalidSubmission("childIds must be a list of ids");
  const order: Submission["order"] = {
    id,
    taskPrompt,
    workspaceSource: readSource(given["workspaceSource"]),
    agentType,
    maxIterations: number(given, "maxIterations", 1, 1, 100),
    maxWallClockSeconds: number(given, "maxWallClockSeconds", 3_600, 0.05, 86_400),
    gatePlanSource: typeof given["gatePlanSource"] === "string" ? given["gatePlanSource"] : "auto",
    policies: { networkAllowed: false, allowedPaths: [], forbiddenPatterns: ["**/.env"] },
    depth: number(given, "depth", 0, 0, 10),
    childIds,
    ...family(given),
  };
  const maxWaitMs = given["maxWaitMs"] === undefined ? null : number(given, "maxWaitMs", 0, 0, 86_400_000);
  return { order, priority: number(given, "priority", 0, 0, 100), maxWaitMs };
}

function family(given: Record<string, unknown>): Partial<WorkOrder> {
  const { parentId, rootId } = given;
  if (parentId === undefined) return {};
  if (typeof parentId !== "string" || !idPattern.test(parentId))
    throw new InvalidSubmission("parentId must be an id");
  if (rootId !== undefined && (typeof rootId !== "string" || !idPattern.test(rootId)))
    throw new InvalidSubmission("rootId must be an id");
  const siblingIndex = number(given, "siblingIndex", 0, 0, 1_000);
  return { parentId, rootId: rootId ?? parentId, siblingIndex };
}

function readSource(value: unknown): WorkOrder["workspaceSource"] {
  if (value === undefined) return { type: "fresh", template: "node" };
  if (typeof value !== "object" || value === null || typeof (value as { type?: unknown }).type !== "string")
    throw new InvalidSubmission("workspaceSource must be an object with a type");
  return value as WorkOrder["workspaceSource"];
}

function number(
  given: Record<string, unknown>,
  name: string,
  preset: number,
  least: number,
  most: number,
): number {
  const value = given[name] ?? preset;
  if (typeof value !== "number" || !(value >= least && value <= most))
    throw new InvalidSubmission(`${name} must be a number from ${least} to ${most}`);
  return value;
}

const isIdList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length <= 50 &&
  value.every((id) => typeof id === "string" && idPattern.test(id));
