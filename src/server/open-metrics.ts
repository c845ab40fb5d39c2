/** One measured value with its labels, e.g. `{ route: "orders.get", side: "new" }`. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** After the family's name: `_total`, `_bucket` … Default: none for a gauge, `_total` for a counter. */
  readonly suffix?: string;
}

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "info";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Families as OpenMetrics 1.0 text, which Prometheus and its kin read. Families without a sample are left out. */
export function openMetrics(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${escaped(help)}`);
    const usual = type === "counter" ? "_total" : type === "info" ? "_info" : "";
    for (const { labels = {}, value, suffix = usual } of samples) {
      const named = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
      lines.push(`${name}${suffix}${named.length === 0 ? "" : `{${named.join(",")}}`} ${value}`);
    }
  }
  return [...lines, "# EOF", ""].join("\n");
}

const escaped = (text: string): string =>
  text
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
