/** Figures of one name on a page in the text format of Prometheus and OpenMetrics, whatever their labels. */
export function figuresNamed(page: string, name: string): readonly number[] {
  return page.split("\n").flatMap((line) => {
    if (!line.startsWith(name)) return [];
    const rest = line.slice(name.length);
    // Labels may hold braces and spaces in quotes; the value follows the last brace that stands outside of them.
    const labels = /^\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}/.exec(rest)?.[0] ?? "";
    if (labels === "" && !/^[ \t]/.test(rest)) return [];
    const [value = ""] = rest
      .slice(labels.length)
      .trim()
      .split(/[ \t]+/);
    const figure = value === "" ? Number.NaN : Number(value);
    return [figure];
  });
}
