import type { Command } from "./command.ts";

interface Entry {
  /** One line in `cutover help`. Kept here so that help loads no command. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command, in the order in which help lists them. Loaded when used: a start costs what it needs. */
export const commands: Readonly<Record<string, Entry>> = {
  init: { summary: "write a small migration that runs at once", load: () => import("./commands/init.ts") },
  import: {
    summary: "make a definition from a written plan",
    load: () => import("./commands/import.ts"),
  },
  bind: { summary: "say how a claim is shown", load: () => import("./commands/bind.ts") },
  plan: { summary: "print what would happen; touches nothing", load: () => import("./commands/plan.ts") },
  check: { summary: "prove that a definition is whole", load: () => import("./commands/check.ts") },
  simulate: {
    summary: "play ramps and triggers against faults",
    load: () => import("./commands/simulate.ts"),
  },
  run: { summary: "carry a migration from its first phase", load: () => import("./commands/run.ts") },
  resume: { summary: "go on with a run after a stop or crash", load: () => import("./commands/resume.ts") },
  status: { summary: "show runs and what can be done now", load: () => import("./commands/status.ts") },
  watch: {
    summary: "look on while another process carries a run",
    load: () => import("./commands/watch.ts"),
  },
  pause: { summary: "hold a run where it is", load: () => import("./commands/pause.ts") },
  continue: { summary: "go on with a paused or held run", load: () => import("./commands/continue.ts") },
  approve: { summary: "approve the evidence a phase waits for", load: () => import("./commands/approve.ts") },
  settle: { summary: "say whether a step took effect", load: () => import("./commands/settle.ts") },
  trigger: { summary: "fire a trigger meant for people", load: () => import("./commands/trigger.ts") },
  rollback: { summary: "take a run back to the old side", load: () => import("./commands/rollback.ts") },
  route: { summary: "show or set stage and share of a route", load: () => import("./commands/route.ts") },
  report: { summary: "write a run's report; show incidents", load: () => import("./commands/report.ts") },
  queue: { summary: "look at and steer queues of work orders", load: () => import("./commands/queue.ts") },
  "queue ls": { summary: "list orders", load: () => import("./commands/queue-ls.ts") },
  "queue show": {
    summary: "one order and all that happened to it",
    load: () => import("./commands/queue-show.ts"),
  },
  "queue stats": {
    summary: "counts, rates, times, workers, health",
    load: () => import("./commands/queue-stats.ts"),
  },
  "queue workers": { summary: "who works on it", load: () => import("./commands/queue-workers.ts") },
  "queue retry": { summary: "run failed orders again", load: () => import("./commands/queue-retry.ts") },
  "queue cancel": {
    summary: "end orders that are not finished",
    load: () => import("./commands/queue-cancel.ts"),
  },
  "queue pause": {
    summary: "start nothing more, on any machine",
    load: () => import("./commands/queue-pause.ts"),
  },
  "queue resume": { summary: "go on after a pause", load: () => import("./commands/queue-resume.ts") },
  "queue prune": { summary: "remove finished orders", load: () => import("./commands/queue-prune.ts") },
  data: {
    summary: "move, compare, back up data",
    load: () => import("./commands/data.ts"),
  },
  "data ls": { summary: "what a store holds", load: () => import("./commands/data-ls.ts") },
  "data digest": { summary: "one number for all rows", load: () => import("./commands/data-digest.ts") },
  "data diff": {
    summary: "compare two stores; repair what differs",
    load: () => import("./commands/data-diff.ts"),
  },
  "data copy": { summary: "copy one store into another", load: () => import("./commands/data-copy.ts") },
  "data backup": {
    summary: "write a backup and see it come back",
    load: () => import("./commands/data-backup.ts"),
  },
  "data restore": { summary: "bring a backup back", load: () => import("./commands/data-restore.ts") },
  "data switch": {
    summary: "which side is in charge; a person decides",
    load: () => import("./commands/data-switch.ts"),
  },
  worker: { summary: "do work orders and carry runs", load: () => import("./commands/worker.ts") },
  serve: { summary: "answer applications on other machines", load: () => import("./commands/serve.ts") },
  audit: { summary: "verify or print the chain of events", load: () => import("./commands/audit.ts") },
  doctor: { summary: "look for what stands in the way", load: () => import("./commands/doctor.ts") },
  help: { summary: "explain a command or an error code", load: () => import("./commands/help.ts") },
  version: { summary: "print the version", load: () => import("./commands/version.ts") },
};
