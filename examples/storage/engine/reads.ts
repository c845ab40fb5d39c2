import type { MemoryEngine } from "./engine.ts";
import { Quantiles } from "./quantiles.ts";
import { seedAt } from "./seeds.ts";

/** The same memories read from both stores in turns, so that whatever else the machine does falls on both alike. */
export async function compareReads(
  engine: MemoryEngine,
  reads: number,
): Promise<{ readonly oldP50Us: number; readonly newP50Us: number; readonly reads: number }> {
  const figures = { old: new Quantiles(), new: new Quantiles() };
  const times = Math.min(Math.max(Math.trunc(reads) || 0, 100), 5_000);
  for (let turn = 0; turn < times; turn++) {
    const { layer, id } = seedAt((turn * 7_919) % engine.records);
    for (const side of turn % 2 === 0 ? (["old", "new"] as const) : (["new", "old"] as const)) {
      const since = performance.now();
      await engine.readFrom(side, layer, id);
      figures[side].add((performance.now() - since) * 1_000);
    }
  }
  return { oldP50Us: figures.old.at(0.5) ?? 0, newP50Us: figures.new.at(0.5) ?? 0, reads: times };
}
