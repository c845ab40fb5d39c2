/** One line of a difference. */
export interface DiffLine {
  readonly change: "same" | "added" | "removed";
  readonly text: string;
  /** Its number, from 1: of a removed line in the old text, else in the new one. */
  readonly line: number;
}

/** What changed between two texts, line by line, by the shortest script (Myers, 1986). */
export function lineDifference(before: string, after: string): readonly DiffLine[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail))
    tail += 1;
  const middle = shortest(old.slice(head, old.length - tail), now.slice(head, now.length - tail));
  const lines: DiffLine[] = now
    .slice(0, head)
    .map((text, index) => ({ change: "same", text, line: index + 1 }));
  let [left, right] = [head, head];
  for (const change of middle) {
    if (change === "removed") lines.push({ change, text: old[left] ?? "", line: left + 1 });
    else lines.push({ change, text: now[right] ?? "", line: right + 1 });
    if (change !== "added") left += 1;
    if (change !== "removed") right += 1;
  }
  for (let index = now.length - tail; index < now.length; index += 1)
    lines.push({ change: "same", text: now[index] ?? "", line: index + 1 });
  return lines;
}

/** Beyond so many changes a replaced whole reads no worse, and the search would take its square. */
const mostChanges = 2_000;

function shortest(old: readonly string[], now: readonly string[]): readonly DiffLine["change"][] {
  const most = Math.min(old.length + now.length, mostChanges);
  let reached = new Map<number, number>([[1, 0]]);
  const trail: Map<number, number>[] = [];
  for (let depth = 0; depth <= most; depth += 1) {
    trail.push(new Map(reached));
    const next = new Map(reached);
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
      let x = down ? (reached.get(k + 1) ?? 0) : (reached.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < old.length && y < now.length && old[x] === now[y]) [x, y] = [x + 1, y + 1];
      next.set(k, x);
      if (x >= old.length && y >= now.length) return walkBack(trail, old.length, now.length);
    }
    reached = next;
  }
  return [...old.map((): "removed" => "removed"), ...now.map((): "added" => "added")];
}

function walkBack(
  trail: readonly Map<number, number>[],
  width: number,
  height: number,
): readonly DiffLine["change"][] {
  const changes: DiffLine["change"][] = [];
  let [x, y] = [width, height];
  for (let depth = trail.length - 1; depth >= 0; depth -= 1) {
    const reached = trail[depth] as Map<number, number>;
    const k = x - y;
    const down = k === -depth || (k !== depth && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const [startX] = [reached.get(from) ?? 0];
    const startY = startX - from;
    while (x > startX && y > startY && (depth > 0 || x > 0)) {
      if (x === (down ? startX : startX + 1) && y === (down ? startY + 1 : startY)) break;
      changes.push("same");
      [x, y] = [x - 1, y - 1];
    }
    if (depth === 0) break;
    changes.push(down ? "added" : "removed");
    [x, y] = [startX, startY];
  }
  while (x > 0 && y > 0) {
    changes.push("same");
    [x, y] = [x - 1, y - 1];
  }
  return changes.toReversed();
}
