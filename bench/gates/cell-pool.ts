import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Cell, CellResult } from "./cells.ts";

/** Computes all cells, the dearest first, on as many cores as there are; results in the order given. */
export async function computeCells(cells: readonly Cell[]): Promise<readonly CellResult[]> {
  const results: CellResult[] = [];
  const waiting = cells.map((_, i) => i).sort((a, b) => cost(cells[b] as Cell) - cost(cells[a] as Cell));
  const lane = async (): Promise<void> => {
    const worker = new Worker(new URL("./cell-worker.ts", import.meta.url));
    try {
      for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) {
        results[i] = await answer(worker, cells[i] as Cell);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(cells.length, availableParallelism()) }, lane));
  return results;
}

const cost = ({ runs, seconds, kind }: Cell): number => runs * seconds * (kind === "latency" ? 4 : 1);

function answer(worker: Worker, cell: Cell): Promise<CellResult> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (result: CellResult) => {
      worker.off("error", reject);
      resolve(result);
    });
    worker.postMessage(cell);
  });
}
