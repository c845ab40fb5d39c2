import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFindings, readDocument } from "./index.ts";

/** Parts of plans that are known before the document is written, so that reading can be held against them. */
interface Parts {
  readonly word: string;
  readonly phases: readonly {
    readonly title: string;
    readonly days: number;
    readonly steps: readonly string[];
    readonly tasks: readonly { readonly text: string; readonly ticked: boolean }[];
    readonly command: string;
  }[];
  readonly limits: readonly { readonly measure: string; readonly percent: number; readonly action: string }[];
  readonly pairs: readonly { readonly old: string; readonly new: string | null }[];
  readonly shares: readonly number[];
  readonly bullet: "-" | "*" | "+";
  readonly style: "numbered" | "bullets";
  readonly crlf: boolean;
}

const noun = fc.constantFrom("ledger", "queue", "index", "invoice", "cart", "mailer", "stock", "profile");
const verb = fc.constantFrom("Copy", "Check", "Mirror", "Freeze", "Drain", "Compare", "Warm up", "Announce");
const sentence = fc
  .tuple(verb, noun, fc.integer({ min: 1, max: 99 }))
  .map(([a, b, n]) => `${a} the ${b} number ${n}`);
const name = fc.tuple(noun, fc.integer({ min: 1, max: 999 })).map(([a, n]) => `${a}_${n}`);

const parts: fc.Arbitrary<Parts> = fc.record({
  word: fc.constantFrom("Phase", "Etappe", "Fase", "Этап", "Étape", "Stage", "Faza"),
  phases: fc.array(
    fc.record({
      title: sentence,
      days: fc.integer({ min: 1, max: 60 }),
      steps: fc.uniqueArray(sentence, { minLength: 1, maxLength: 4 }),
      tasks: fc.uniqueArray(fc.record({ text: sentence, ticked: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
        selector: ({ text }) => text,
      }),
      command: name.map((file) => `cp ${file} /srv/${file}`),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  limits: fc.array(
    fc.record({
      measure: fc.constantFrom("Error rate", "Memory usage", "Mismatch rate"),
      percent: fc.integer({ min: 1, max: 999 }).map((n) => n / 10),
      action: fc.constantFrom("Pause rollout", "Roll back", "Notify the team"),
    }),
    { maxLength: 4 },
  ),
  pairs: fc.array(fc.record({ old: name, new: fc.option(name) }), { maxLength: 5 }),
  shares: fc
    .uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 5 })
    .map((list) => list.toSorted((a, b) => a - b)),
  bullet: fc.constantFrom("-", "*", "+"),
  style: fc.constantFrom("numbered", "bullets"),
  crlf: fc.boolean(),
});

function write({ word, phases, limits, pairs, shares, bullet, style, crlf }: Parts): string {
  const lines = ["# A plan made of known parts", ""];
  phases.forEach(({ title, days, steps, tasks, command }, index) => {
    lines.push(`## ${word} ${index + 1}: ${title}`, "", `Duration: ${days} days`, "");
    lines.push(
      ...steps.map((step, at) => (style === "numbered" ? `${at + 1}. ${step}` : `${bullet} ${step}`)),
      "",
    );
    lines.push(
      "**Verification:**",
      "",
      ...tasks.map(({ text, ticked }) => `${bullet} [${ticked ? "x" : " "}] ${text}`),
      "",
    );
    lines.push("```bash", "# do it", command, "```", "");
  });
  if (limits.length > 0) {
    lines.push("## Metrics to watch", "", "| Metric | Threshold | Action |", "| --- | :-: | --- |");
    lines.push(
      ...limits.map(({ measure, percent, action }) => `| ${measure} | > ${percent}% | ${action} |`),
      "",
    );
  }
  if (pairs.length > 0) {
    lines.push("## Status mapping", "", "| Old status | New status |", "|---|---|");
    lines.push(
      ...pairs.map((pair) => `| \`${pair.old}\` | ${pair.new === null ? "(none)" : `\`${pair.new}\``} |`),
      "",
    );
  }
  lines.push("## Rollout schedule", "", ...shares.map((share) => `${bullet} ${share}% - keep looking`), "");
  return lines.join(crlf ? "\r\n" : "\n");
}

describe("a document made of known parts", () => {
  test("is read back without loss, each part once and in order", () => {
    fc.assert(
      fc.property(parts, (known) => {
        const plan = readDocument(write(known));
        expect(plan.phases.map(({ title }) => title)).toEqual(known.phases.map(({ title }) => title));
        expect(plan.unplaced).toEqual([]);
        plan.phases.forEach((phase, index) => {
          const wanted = known.phases[index];
          const inside = <F extends { readonly within: { readonly phase?: string } }>(
            list: readonly F[],
          ): readonly F[] => list.filter(({ within }) => within.phase === phase.key);
          expect(inside(plan.steps).map(({ title }) => title)).toEqual(wanted?.steps);
          expect(inside(plan.checks).map(({ text, ticked }) => ({ text, ticked }))).toEqual(wanted?.tasks);
          expect(inside(plan.commands).map(({ shell }) => shell)).toEqual([wanted?.command]);
          expect(inside(plan.durations).map(({ low, unit }) => [low, unit])).toEqual([[wanted?.days, "day"]]);
        });
        const limits = plan.thresholds.filter(({ action }) => action !== undefined);
        expect(limits.map(({ measure, number, action }) => ({ measure, percent: number, action }))).toEqual(
          known.limits,
        );
        expect(plan.mappings.map((each) => ({ old: each.old, new: each.new }))).toEqual(known.pairs);
        expect(plan.ramps.map(({ stages }) => stages.map(({ percent }) => percent))).toEqual([known.shares]);
        const keys = allFindings(plan).map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
      }),
      { numRuns: 150 },
    );
  });

  test("any text at all is read or refused by name, and no line is lost", () => {
    const odd = fc.constantFrom(
      "# ",
      "- [x] ",
      "| a | b |\n|---|---|\n| ",
      "```yaml\n",
      "```",
      "> ",
      "1. ",
      "→",
      "**",
      "5%",
      "> 3 days",
      "\t",
      "   ",
      "<b>",
      "Phase 2: ",
      "```mermaid\ngantt\n",
      "{",
      "[",
      "'",
      '"',
      "\\",
      "`",
      "第",
      "| ",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(odd, fc.string({ maxLength: 12 }), fc.constant("\n")), { maxLength: 60 }),
        (pieces) => {
          const text = `x\n${pieces.join("").replaceAll("\0", "")}`;
          const plan = readDocument(text);
          const { filled, placed } = plan.lines;
          expect(filled - placed).toBe(plan.unplaced.length);
          for (const finding of allFindings(plan)) {
            expect(finding.place.line).toBeGreaterThan(0);
            expect(finding.place.endLine).toBeLessThanOrEqual(plan.lines.total);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
