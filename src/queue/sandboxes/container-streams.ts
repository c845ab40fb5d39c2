import type { BoundedOutput } from "./bounded-output.ts";
import type { Usage } from "./sandbox.ts";

/**
 * Takes apart what a container wrote: frames of a header (kind, three zeros, length as 32 bits, big end first) and as
 * many bytes. Bytes are handed on as they come, so a frame of any length takes no memory.
 */
export class ContainerOutput {
  readonly #out: BoundedOutput;
  readonly #err: BoundedOutput;
  readonly #header: Buffer = Buffer.alloc(8);
  #headerBytes = 0;
  #left = 0;

  constructor(out: BoundedOutput, err: BoundedOutput) {
    this.#out = out;
    this.#err = err;
  }

  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const end = Math.min(chunk.length, at + this.#left);
        (this.#header[0] === 2 ? this.#err : this.#out).write(chunk.subarray(at, end));
        this.#left -= end - at;
        at = end;
      } else {
        const end = Math.min(chunk.length, at + 8 - this.#headerBytes);
        this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end);
        at = end;
        if (this.#headerBytes < 8) return;
        this.#headerBytes = 0;
        this.#left = this.#header.readUInt32BE(4);
      }
    }
  }
}

interface StatsLine {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: {
    readonly usage?: number;
    /** `inactive_file` in control groups v2, `total_inactive_file` in v1. */
    readonly stats?: Readonly<Record<string, number>>;
  };
}

/** What a container took, from the lines that the engine tells about once a second. */
export class ContainerUsage {
  #rest = "";
  #found: Usage | undefined;

  get usage(): Usage | undefined {
    return this.#found;
  }

  write(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString("utf8")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") this.#take(JSON.parse(line) as StatsLine);
  }

  #take({ cpu_stats: cpu, memory_stats: memory }: StatsLine): void {
    const total = cpu?.cpu_usage?.total_usage ?? 0;
    // The line after the end of a container holds zeros.
    if (total === 0) return;
    const cache = memory?.stats?.["inactive_file"] ?? memory?.stats?.["total_inactive_file"] ?? 0;
    this.#found = {
      cpuMs: Math.max(this.#found?.cpuMs ?? 0, Math.round(total / 1e6)),
      maxRss: Math.max(this.#found?.maxRss ?? 0, (memory?.usage ?? 0) - cache),
    };
  }
}
