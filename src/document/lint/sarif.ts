import type { JsonObject } from "../../core/index.ts";
import { type LintFinding, lintRules } from "./finding.ts";

/** Findings as SARIF 2.1.0, which code hosts show beside the lines they speak of. */
export function toSarif(findings: readonly LintFinding[], version: string): JsonObject {
  const used = Object.entries(lintRules).filter(([rule]) =>
    findings.some((finding) => finding.rule === rule),
  );
  const region = (line: number, column?: number, endLine?: number): JsonObject => ({
    startLine: Math.max(line, 1),
    ...(column === undefined ? {} : { startColumn: column }),
    ...(endLine === undefined ? {} : { endLine }),
  });
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "cutover",
            version,
            rules: used.map(([id, text]) => ({ id, shortDescription: { text } })),
          },
        },
        columnKind: "utf16CodeUnits",
        results: findings.map(({ rule, severity, place, expected, found, remedy, also }) => ({
          ruleId: rule,
          level: severity,
          message: { text: `expected ${expected}; found ${found}. Remedy: ${remedy}.` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(place.file) },
                region: region(place.line, place.column, place.endLine),
              },
            },
          ],
          relatedLocations: also.map(({ file, line, what }, id) => ({
            id,
            message: { text: what },
            physicalLocation: { artifactLocation: { uri: uriOf(file) }, region: region(line) },
          })),
        })),
      },
    ],
  };
}

const uriOf = (file: string): string =>
  file.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
