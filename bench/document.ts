/**
 * What reading a written plan costs: 1 MB of Markdown made of the parts of real plans, and texts made to be slow. Each is
 * read once in a process of its own, cold, because that is how a plan is imported; the time is without Node's own start.
 */
import { execFileSync } from "node:child_process";
import { readDocument } from "../src/document/index.ts";
import { printReach, printTable } from "./measure/table.ts";

const megabyte = 1_000_000;

/** One phase of a plan with a list, a table, commands, data and limits; the number makes every text another one. */
function part(n: number): string {
  return `
## Phase ${n}: Move the service number ${n}

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

\`\`\`yaml
service_${n}:
  owner: team-${n % 12}
  duration: ${(n % 9) + 1} hours
  limits: [${n}, ${n + 1}]
\`\`\`
`;
}

function plan(bytes: number): string {
  let text = "# A very long plan\n";
  for (let n = 1; text.length < bytes; n++) text += part(n);
  return text;
}

const hostile: Readonly<Record<string, () => string>> = {
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
  "aliases of YAML": () =>
    `\`\`\`yaml\na: &a [x]\n${Array.from({ length: 60 }, (_, at) => `k${at}: &k${at} [${Array.from({ length: 9 }, () => (at === 0 ? "*a" : `*k${at - 1}`)).join(",")}]`).join("\n")}\n\`\`\`\n`,
  "flow of YAML (20,000 deep)": () => `\`\`\`yaml\na: ${"[".repeat(20_000)}\n\`\`\`\n`,
};

interface Reading {
  readonly ms: number;
  readonly mb: number;
  readonly placed: number;
}

/** Reads in this process; the parent asks for it by name. */
function readHere(name: string): void {
  const text = name === "plan" ? plan(megabyte) : (hostile[name]?.() ?? "");
  const start = performance.now();
  let placed = -1;
  try {
    placed = readDocument(text).lines.placed;
  } catch {
    // Refused is an answer too; what counts is that it comes soon.
  }
  const ms = performance.now() - start;
  console.log(JSON.stringify({ ms, mb: process.resourceUsage().maxRSS / 1024, placed } satisfies Reading));
}

const readApart = (name: string): Reading =>
  JSON.parse(
    execFileSync(process.execPath, [import.meta.filename, name], { encoding: "utf8", timeout: 120_000 }),
  ) as Reading;

export async function run(): Promise<void> {
  const rounds = Array.from({ length: 5 }, () => readApart("plan")).toSorted((a, b) => a.ms - b.ms);
  const middle = rounds[2] ?? { ms: Number.NaN, mb: Number.NaN, placed: 0 };
  console.log("1 MB of Markdown, five cold processes; and texts made to be slow, once each\n");
  const slow = Object.keys(hostile).map((name) => ({ name, ...readApart(name) }));
  printTable(
    ["", "time", "memory", "lines placed"],
    [{ name: "a plan of 1 MB", ...middle }, ...slow].map(({ name, ms, mb, placed }) => [
      name,
      `${ms.toFixed(0)} ms`,
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
