/** Computes cells handed to it, one after the other. */
import { parentPort } from "node:worker_threads";
import { type Cell, runCell } from "./cells.ts";

parentPort?.on("message", (cell: Cell) => parentPort?.postMessage(runCell(cell)));
