/** A table for the terminal: first column to the left, all others to the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  console.log(line(head));
  console.log(widths.map((width) => "─".repeat(width)).join("  "));
  for (const row of rows) console.log(line(row));
}

/** Tells whether a figure reached its target, in the one form that is searched for. */
export function printReach(name: string, met: boolean, found: string, target: string): void {
  console.log(`reach ${name}: ${met ? "met" : "short"}, ${found}, ${target}`);
}

/** `83 ns`, `1.4 µs`, `2.0 ms` */
export function nanoseconds(value: number): string {
  if (Math.abs(value) < 1_000) return `${Math.round(value)} ns`;
  if (Math.abs(value) < 1_000_000) return `${(value / 1_000).toFixed(1)} µs`;
  return `${(value / 1_000_000).toFixed(1)} ms`;
}
