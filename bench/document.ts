/**
 * What reading a written plan costs: 1 MB of Markdown made of the parts of real plans, and texts made to be slow. Each is
 * read once in a process of its own, cold, because that is how a plan is imported; the time is without Node's own start.
 */
import { execFileSync } from "node:child_process";
import { readDocument } from "../src/document/index.ts";
import { benchOptions } from "./measure/options.ts";
import { printReach, printTable } from "./measure/table.ts";

const megabyte = 1_000_000;

/** One phase of a plan with prose, a list, a table, commands and limits; the number makes every text another one. */
function part(n: number, data: boolean): string {
  return `
## Phase ${n}: Move the service number ${n}

The team that runs service ${n} has asked for a way to move without a window at night. What follows was agreed with them in
review ${n % 40}; whoever changes it tells the others first, because their own moves come after this one and rest on it. The old
side stays as it is until the new one has carried the whole load, and nothing of it is removed before somebody has looked.

Duration: ${(n % 20) + 1} days. The service keeps ${n} tables which are read by ${n % 7} others, and it has to go on answering while they are copied.

1. Create the folder \`service-${n}\` and copy the ${n} settings
2. Run \`./scripts/move-${n}.sh --dry\` before anything else
3. Wait until the lag is below ${(n % 50) + 1} seconds

- [ ] Backup number ${n} restored
- [x] Error rate < 0.${(n % 9) + 1}% over ${(n % 5) + 1} hours

| Metric ${n} | Threshold | Action |
| --- | --- | --- |
| Error rate of ${n} | > ${(n % 9) + 1}% | Pause rollout |
| p99 latency | > ${(n % 4) + 2}x baseline | Roll back |

\`\`\`bash
cd services/s${n}
cp -r data backup-${n}   # ${n} MB
rm -rf cache-${n}
\`\`\`
${data ? block(n) : ""}`;
}

const block = (n: number): string => `
\`\`\`yaml
service_${n}:
  owner: team-${n % 12}
  duration: ${(n % 9) + 1} hours
  limits: [${n}, ${n + 1}]
\`\`\`
`;

/** `every`: each how many phases have a block of YAML. */
function plan(bytes: number, every: number): string {
  let text = "# A very long plan\n";
  for (let n = 1; text.length < bytes; n++) text += part(n, n % every === 0);
  return text;
}

const hostile: Readonly<Record<string, () => string>> = {
  "a plan of 1 MB with YAML in every phase": () => plan(megabyte, 1),
  "quotes in quotes (20,000)": () => `${">".repeat(20_000)} a`,
  "lists in lists (50 deep, 1,000 times)": () =>
    `${Array.from({ length: 50 }, (_, at) => `${"  ".repeat(at)}- a`).join("\n")}\n\n# next\n\n`.repeat(40),
  "open brackets (200,000)": () => "[".repeat(200_000),
  "stars (200,000)": () => "*a ".repeat(66_000),
  "ticks of growing length": () => Array.from({ length: 1_400 }, (_, at) => "`".repeat(at)).join(" "),
  "one line of numbers (1 MB)": () => "12 days and 5 % > 3 ".repeat(50_000),
  "one word (1 MB)": () => "a".repeat(megabyte),
  "spaces (1 MB)": () => `a${" ".repeat(megabyte)}b`,
  "table of 5,000 columns": () =>
    `${"|a".repeat(5_000)}|\n${"|-".repeat(5_000)}|\n${"|1 day".repeat(5_000)}|\n`,
  "a list of 60,000 items": () => "- item with 3 days\n".repeat(60_000),
  "open quotes in commands": () => `\`\`\`bash\n${"echo 'it\n".repeat(20_000)}\`\`\`\n`,
  "brackets in program text": () => `\`\`\`python\nX = ${"[".repeat(50_000)}\n\`\`\`\n`,
  ...Object.fromEntries(
    Object.entries({
      stars: "*a ",
      brackets: "[",
      ticks: "`",
      spaces: "a          ",
      numbers: "12 days > 3 % ",
      links: "[a](",
      arrows: "a -> ",
      colons: "a: ",
      dashes: " - ",
      percent: "1 % then ",
    }).map(([name, piece]) => [
      `50 lines of 19,000 ${name}`,
      () => `${piece.repeat(19_000 / piece.length)}\n\n`.repeat(50),
    ]),
  ),
  "aliases of YAML": () =>
    `\`\`\`yaml\na: &a [x]\n${Array.from({ length: 60 }, (_, at) => `k${at}: &k${at} [${Array.from({ length: 9 }, () => (at === 0 ? "*a" : `*k${at - 1}`)).join(",")}]`).join("\n")}\n\`\`\`\n`,
  "flow of YAML (20,000 deep)": () => `\`\`\`yaml\na: ${"[".repeat(20_000)}\n\`\`\`\n`,
};

interface Reading {
  readonly ms: number;
  /** Processor time, all threads: what the machine was kept busy, whoever else was at work. */
  readonly cpu: number;
  readonly mb: number;
  readonly placed: number;
}

/** Reads in this process; the parent asks for it by name. */
function readHere(name: string): void {
  const text = name === "plan" ? plan(megabyte, 5) : (hostile[name]?.() ?? "");
  const before = process.cpuUsage();
  const start = performance.now();
  let placed = -1;
  try {
    placed = readDocument(text).lines.placed;
  } catch {
    // Refused is an answer too; what counts is that it comes soon.
  }
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1_000;
  console.log(
    JSON.stringify({ ms, cpu, mb: process.resourceUsage().maxRSS / 1024, placed } satisfies Reading),
  );
}

const readApart = (name: string): Reading =>
  JSON.parse(
    execFileSync(process.execPath, [import.meta.filename, name], { encoding: "utf8", timeout: 120_000 }),
  ) as Reading;

export async function run(): Promise<void> {
  benchOptions({});
  const rounds = Array.from({ length: 5 }, () => readApart("plan")).toSorted((a, b) => a.ms - b.ms);
  const middle = rounds[2] ?? { ms: Number.NaN, cpu: Number.NaN, mb: Number.NaN, placed: 0 };
  console.log("1 MB of Markdown, five cold processes; and texts made to be slow, once each\n");
  const slow = Object.keys(hostile).map((name) => ({ name, ...readApart(name) }));
  printTable(
    ["", "time", "processor", "memory", "lines placed"],
    [{ name: "a plan of 1 MB", ...middle }, ...slow].map(({ name, ms, cpu, mb, placed }) => [
      name,
      `${ms.toFixed(0)} ms`,
      `${cpu.toFixed(0)} ms`,
      `${mb.toFixed(0)} MB`,
      placed === -1 ? "refused" : String(placed),
    ]),
  );
  console.log();
  printReach("1 MB is read", middle.ms < 1_000, `${middle.ms.toFixed(0)} ms`, "< 1,000 ms");
  printReach("memory of the process", middle.mb <= 200, `${middle.mb.toFixed(0)} MB`, "≤ 200 MB");
  const worst = slow.toSorted((a, b) => b.ms - a.ms)[0];
  printReach(
    "the slowest hostile text",
    (worst?.ms ?? 0) < 2_000,
    `${(worst?.ms ?? 0).toFixed(0)} ms (${worst?.name ?? ""})`,
    "< 2,000 ms",
  );
  await Promise.resolve();
}

const asked = process.argv[2];
if (process.argv[1] === import.meta.filename && asked !== undefined) readHere(asked);
