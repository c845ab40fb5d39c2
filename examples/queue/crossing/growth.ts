import { readRecord, places, type ServerRecord } from "../server/settings.ts";
import { ask } from "../http-client.ts";

/** Growth is told over this time: bursts of a second are not growth. */
const overMs = 20_000;

/** Reads how fast the number of waiting orders grows, per minute; 0 as long as it was not watched for 20 s. */
export function queueGrowth(workDir: string): () => Promise<number> {
  const seen: { readonly at: number; readonly waiting: number }[] = [];
  return async () => {
    const port = readRecord<ServerRecord>(places(workDir).server)?.port ?? 0;
    const { headers } = await ask(port, "GET", "/metrics", undefined, 2_000);
    const at = Date.now();
    seen.push({ at, waiting: Number(headers["x-queue-depth"]) });
    while ((seen[1]?.at ?? at) < at - overMs) seen.shift();
    if (at - (seen[0]?.at ?? at) < overMs - 1_000) return 0;
    const middle = (some: typeof seen): number =>
      some.map(({ waiting }) => waiting).sort((a, b) => a - b)[Math.floor(some.length / 2)] ?? 0;
    const part = Math.ceil(seen.length / 4);
    const grown = middle(seen.slice(-part)) - middle(seen.slice(0, part));
    return (grown * 60_000) / overMs;
  };
}
