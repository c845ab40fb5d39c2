import type { PlanItem, PlanItemState, PlanProof } from "../../core/index.ts";

/** What the record says of a run and the items of its plan, as `report` tells it. Times are wall-clock milliseconds. */
export interface RecordedRun {
  readonly id: string;
  readonly migration: string;
  /** `holding`, `finished`, in words. */
  readonly state: string;
  /** Hash of the definition. */
  readonly hash: string;
  /** When this is written. */
  readonly at: number;
  readonly items: readonly PlanItem[];
  readonly proofs: readonly PlanProof[];
  /** What people moved without evidence. */
  readonly overrides: readonly {
    readonly at: number;
    readonly what: string;
    readonly by: string;
    readonly reason: string;
  }[];
}

/** Several items of one line as one: fifty units have one line in the plan. */
export interface LineState {
  readonly state: PlanItemState;
  readonly note: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly events: readonly number[];
  /** `12 of 50`, where there are several. */
  readonly count: string;
}

const worst: readonly PlanItemState[] = ["failed", "unknown", "back", "holds", "fired", "running", "on-word"];
const good: ReadonlySet<PlanItemState> = new Set(["proven", "done"]);

export function stateOf(items: readonly PlanItem[]): LineState {
  const [first] = items;
  const ends = items.map(({ endedAt }) => endedAt);
  const starts = items.flatMap(({ startedAt }) => startedAt ?? []);
  const ready = items.filter(({ state }) => good.has(state)).length;
  const bad = worst.find((state) => items.some((item) => item.state === state));
  const state =
    bad ??
    (ready === items.length
      ? (first?.state ?? "open")
      : ready > 0
        ? "running"
        : (items.find((item) => item.state === "armed")?.state ?? "open"));
  return {
    state,
    note: items.find((item) => item.state === state && item.note !== "")?.note ?? "",
    startedAt: starts.length === 0 ? null : Math.min(...starts),
    endedAt: ends.some((end) => end === null) ? null : Math.max(...ends.map((end) => end ?? 0)),
    events: [...new Set(items.flatMap(({ events }) => events))].toSorted((a, b) => a - b),
    count: items.length > 1 ? `${ready} of ${items.length}` : "",
  };
}

/** Whether evidence in the record shows it. A person's word is no evidence. */
export const isShown = ({ state }: Pick<LineState, "state">): boolean => good.has(state);

/** `2026-11-21 18:05 UTC`. */
export const minute = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

const stateWords: Readonly<Record<PlanItemState, string>> = {
  proven: "proven",
  done: "done",
  "on-word": "said to be done by a person, without evidence",
  running: "in progress",
  holds: "open",
  failed: "failed",
  unknown: "outcome unknown",
  back: "taken back",
  open: "open",
  armed: "armed",
  fired: "fired",
};

/** `proven 2026-11-21 18:05 UTC`, `failed: exit code 1`, `in progress, 12 of 50`. */
export function wordsOf({ state, note, startedAt, endedAt, count }: LineState): string {
  const counted = count === "" ? "" : `, ${count}`;
  if (good.has(state))
    return `${stateWords[state]}${endedAt === null ? "" : ` ${minute(endedAt)}`}${counted}`;
  if (state === "running")
    return `${stateWords.running}${startedAt === null ? "" : ` since ${minute(startedAt)}`}${counted}`;
  if (state === "fired") return `fired${startedAt === null ? "" : ` ${minute(startedAt)}`}`;
  const why = note.replace(/\s+/g, " ").trim();
  const reason =
    state === "armed" || state === "open" || why === ""
      ? ""
      : `: ${why.length > 140 ? `${why.slice(0, 137)}…` : why}`;
  return `${stateWords[state]}${counted}${reason}`;
}
