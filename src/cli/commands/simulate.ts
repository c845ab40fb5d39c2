import { availableParallelism } from "node:os";
import { formatDuration } from "../../core/index.ts";
import { readCount, readFault, readTraffic, simulate, usualTraffic } from "../../simulation/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { asksForChange, simulationPage } from "../draw/simulation-page.ts";
import { cut } from "../draw/text-width.ts";
import { findDefinition } from "../find-definition.ts";
import { lastSource } from "../last-source.ts";
import { loadMigration } from "../load-migration.ts";
import { threadPlayers, threadsFor } from "../simulation/thread-players.ts";
import { inStore } from "../store-place.ts";

/** Twice and five times the failures, slower, wrong answers, and a crash with half of the keys on the new side. */
const usualFaults = ["error:x2@live", "error:x5@live", "latency:+50%", "mismatch:1%", "crash@live:50%"];

/** Most runs of a case: a false-alarm rate of 1 % is then known to 0.03 %. */
const mostRuns = 100_000;

const option = (value: string, help: string) => ({ type: "string" as const, value, help });

export const command: Command = {
  usage: "simulate [FILE]",
  help: [
    "Plays the migration's shadows, ramps, gates and triggers against declared traffic on a clock of its own, before anything real is touched: first while all is well, then with each fault. The steps and judges are the real ones; what both sides answer is drawn.",
    "Says for each fault how many runs noticed it, after how long (median, and what 90 % of the runs stay below), where the route stood, what noticed it and what it did, and how many calls and keys were hit until then. For the healthy case: how many runs were stopped for nothing, and how long the way takes.",
    "A fault is KIND:SIZE@PLACE+TIME on the new side: error:x2, error:5%, error:+1%, latency:+50%, latency:x3, mismatch:1%, crash; at @shadow, @live (the first share), @live:50%, @complete, +30s later. Without a place it is there from the new side's first call on. Repeat --fault for more.",
    `Without --fault the usual ones are played: ${usualFaults.join(", ")}.`,
    "Assumed: calls that fail on the old side fail on the new one alike; approvals come at once; nothing is answered by the old side instead. Measures that traffic says nothing about (values, memory, means, coverage) are told and left out. The same seed gives the same answer.",
  ],
  options: {
    rate: option("CALLS", `calls of each route: 200/s, 90/min, 40/h (default ${usualTraffic.rate})`),
    "base-error": option("PART", `calls that fail on either side (default ${usualTraffic["base-error"]})`),
    keys: option("N", `different keys (default ${usualTraffic.keys})`),
    skew: option("LAW", `how calls spread over keys: even, zipf:1.1 (default ${usualTraffic.skew})`),
    latency: option("LAW", "of answers: lognormal:20ms,0.5 (usual), exponential:20ms"),
    rhythm: option("NAME", `flat, day or burst (default ${usualTraffic.rhythm})`),
    fault: { ...option("FAULT", "what goes wrong, see above; repeatable"), multiple: true },
    route: option("NAME", "play only the steps of this route"),
    runs: option("N", "runs of each case (default 200)"),
    seed: option("N", "of the random numbers (default 1)"),
  },
  words: 1,
  async run(context) {
    const { args, terminal, interrupted } = context;
    const traffic = readTraffic({
      rate: args.text("rate"),
      "base-error": args.text("base-error"),
      keys: args.text("keys"),
      skew: args.text("skew"),
      latency: args.text("latency"),
      rhythm: args.text("rhythm"),
    });
    const wanted = args.texts("fault");
    const faults = (wanted.length === 0 ? usualFaults : wanted)
      .map((text) => readFault(text))
      // Where nothing fails, twice as much is nothing: as a usual case it is left out, as a wish it is refused.
      .filter(
        ({ kind, size }) =>
          wanted.length > 0 || kind !== "error" || size.by !== "times" || traffic.baseError > 0,
      );
    const runs = readCount(args.text("runs") ?? "200", "--runs", mostRuns);
    const seed = readCount(args.text("seed") ?? "1", "--seed", 2 ** 31 - 1, 0);
    const file = await findDefinition(args.positionals[0], context, () => lastSource(context));
    const migration = await loadMigration(file);
    const progress = progressOf(context);
    const played = { traffic, seed, route: args.text("route"), source: file };
    const threads = threadsFor(runs, availableParallelism());
    await using pool = threads === 1 ? undefined : threadPlayers(file, played, threads);
    const result = await simulate(migration, {
      ...played,
      faults,
      runs,
      signal: interrupted,
      progress: (told) => progress.tell(told),
      ...(pool === undefined ? {} : { players: pool.players }),
    }).finally(() => progress.clear());
    if (context.json) terminal.json(result);
    else {
      for (const line of simulationPage(result, terminal.columns())) terminal.line(line);
      const named = args.positionals[0] === undefined ? "" : ` ${args.positionals[0]}`;
      const again = asksForChange(result);
      const next = `npx ${inStore(`cutover ${again ? "simulate" : "run"}${named}`, context)}`;
      terminal.line("");
      terminal.line(again ? `  next: change the definition, then  ${next}` : `  next: ${next}`);
    }
    return result.whole ? 0 : 130;
  },
};

type Told = { readonly fault: string | undefined; readonly run: number; readonly runs: number };

/** On a terminal one line that is written over; elsewhere a line when it begins, and one for each case that is done. */
function progressOf({ terminal, clock, json }: CommandContext): { tell(told: Told): void; clear(): void } {
  const painted = terminal.live && !json;
  let shownAt = Number.NEGATIVE_INFINITY;
  let began = clock.monotonic();
  let told = 0;
  return {
    tell({ fault = "all is well", run, runs }) {
      told++;
      const now = clock.monotonic();
      if (painted && now - shownAt >= 100) {
        shownAt = now;
        const line = `  ${fault} · run ${run} of ${runs} · Ctrl-C tells what there is`;
        terminal.write(`\r\u001b[K${cut(line, terminal.columns() - 1)}`);
      }
      if (painted) return;
      if (told === 1) terminal.aside(`plays ${runs} runs of each case; Ctrl-C tells what there is`);
      if (run < runs) return;
      terminal.aside(`${fault}: ${runs} runs in ${formatDuration(now - began)}`);
      began = now;
    },
    clear() {
      if (painted) terminal.write("\r\u001b[K");
    },
  };
}
