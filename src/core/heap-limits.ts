import type { ResourceLimits } from "node:worker_threads";

/**
 * Limits of a worker thread that ends alone when its heap is full. The engine grants a thread at its limit some 16 MB to
 * end in. One collection of a young generation of the default size moves more than that at once, and then the whole
 * process is aborted: "Reached heap limit", https://github.com/nodejs/node/issues/47224. So the young generation is kept
 * at 16 MB. One single allocation of more than the grant, such as a string or an array of 20 MB, can still abort.
 *
 * @param bytes of the heap's old generation; 0 for no limit but the engine's own
 * @param further limits, which go before those set here
 */
export function heapLimits(bytes: number, further: ResourceLimits = {}): ResourceLimits {
  if (bytes === 0) return further;
  return {
    maxYoungGenerationSizeMb: 16,
    ...further,
    maxOldGenerationSizeMb: Math.ceil(bytes / 2 ** 20),
  };
}
