import { copiedMembers, copyValue, uncopied } from "./copy.ts";
import { errorFacts } from "./error-facts.ts";
import { bytesOf } from "./kinds.ts";
import type { Stream } from "./stream-kind.ts";

/** What the chunks of a stream are to a comparison. */
export type StreamFormat = "events" | "text" | "sse" | "lines" | "json";

/** How answers that are streams are compared. */
export interface StreamOptions {
  /**
   * What the chunks are. `events`: each is one event. `text`: pieces of one text, or bytes; how it is cut means
   * nothing. `sse`: server-sent events, `lines`: lines, `json`: one JSON text; however they are cut.
   * Default: by the Content-Type of a `Response`; else bytes and the strings of a byte stream are `text`, all other
   * chunks `events`.
   */
  readonly format?: StreamFormat;
  /** `"any"`: the same events in another order are no difference. Default `"kept"`. */
  readonly order?: "kept" | "any";
  /** Chunks kept of each side, 1 to 100,000; of a longer stream its beginning is compared. Default 1,000. */
  readonly events?: number;
  /** Bytes and characters kept of each side, 1 to 100,000,000. Default 262,144. */
  readonly bytes?: number;
}

export interface StreamBounds {
  readonly format: StreamFormat | undefined;
  readonly events: number;
  readonly bytes: number;
  /** Members of all events together. */
  readonly members: number;
}

/** What was seen of a stream, as plain data: it may come from another thread. */
export interface StreamRecord {
  readonly format: StreamFormat;
  /** Status and headers, when the answer was a `Response`. */
  readonly head?: { readonly status: number; readonly headers: Readonly<Record<string, string>> };
  readonly chunks: readonly unknown[];
  /** `part`: the reader stopped, or the bounds were reached, before the end. */
  readonly end: "whole" | "part" | "failed";
  /** Facts of the error of a stream that failed. */
  readonly error?: unknown;
}

/** What a piece of a text takes at least. */
const bytesPerPiece = 16;

/** How a message is carried, not what it says. */
const carriage = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "date",
  "keep-alive",
  "transfer-encoding",
]);

/** Times what recording costs a caller. */
export interface RecorderWork {
  begin(): number;
  end(start: number): void;
}

/** Keeps what passes, within bounds; costs nothing more once they are reached. */
export class StreamRecorder {
  readonly #stream: Stream;
  #bounds: StreamBounds;
  readonly #done: () => void;
  readonly #work: RecorderWork | undefined;
  #format: StreamFormat | undefined;
  #chunks: unknown[] = [];
  #weight = 0;
  #members = 0;
  #end: StreamRecord["end"] | undefined;
  #error: unknown;

  /** @param done called once: nothing more will be kept */
  constructor(stream: Stream, bounds: StreamBounds, done: () => void, work?: RecorderWork) {
    this.#stream = stream;
    this.#work = work;
    this.#bounds = bounds;
    this.#done = done;
    this.#format = bounds.format ?? formatOf(stream);
  }

  get open(): boolean {
    return this.#end === undefined;
  }

  /** As much as this will do: the other side was seen no further. */
  limit(size: { readonly events: number; readonly weight: number }): void {
    this.#bounds = {
      ...this.#bounds,
      events: Math.min(this.#bounds.events, size.events),
      bytes: Math.min(this.#bounds.bytes, size.weight),
    };
    if (this.#full) this.close("part");
  }

  /** Pieces of a text are no events: however it is cut, as much of it is kept, as long as the cuts themselves take no room. */
  get #full(): boolean {
    if (this.#weight >= this.#bounds.bytes) return true;
    const most = this.#format === "events" ? this.#bounds.events : this.#bounds.bytes / bytesPerPiece;
    return this.#chunks.length >= most;
  }

  /** The chunk is copied now, before its reader can change it. */
  add(chunk: unknown): void {
    if (!this.open) return;
    const start = this.#work?.begin() ?? -1;
    this.#add(chunk);
    this.#work?.end(start);
  }

  #add(chunk: unknown): void {
    // A stream that ends where the bounds do was seen whole: they bind only when there is more.
    if (this.#full) return this.close("part");
    this.#format ??= isText(chunk, this.#stream) ? "text" : "events";
    const members = this.#bounds.members - this.#members;
    const kept = copyValue(chunk, members);
    if (kept === uncopied) return this.close("part");
    this.#members += copiedMembers(members);
    const room = this.#bounds.bytes - this.#weight;
    const length = sizeOf(kept);
    this.#weight += Math.min(length, room);
    if (length <= room) this.#chunks.push(kept);
    // Half a piece of a text still is text, half an event is none.
    else if (this.#format !== "events") this.#chunks.push(cut(kept, room));
    if (length > room) this.close("part");
  }

  close(end: StreamRecord["end"], error?: unknown): void {
    if (!this.open) return;
    this.#end = end;
    if (end === "failed") this.#error = errorFacts(error);
    this.#done();
  }

  record(): StreamRecord {
    const end = this.#end ?? "part";
    return {
      format: this.#format ?? "events",
      ...(this.#stream.kind === "response" ? { head: headOf(this.#stream.value) } : {}),
      chunks: this.#chunks,
      end,
      ...(end === "failed" ? { error: this.#error } : {}),
    };
  }
}

function headOf(response: Response): { status: number; headers: Record<string, string> } {
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !carriage.has(name)));
  return { status: response.status, headers };
}

function formatOf(stream: Stream): StreamFormat | undefined {
  if (stream.kind !== "response") return undefined;
  const type = (stream.value.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "text/event-stream") return "sse";
  if (/[/+](x-)?(ndjson|jsonl|jsonlines|json-seq)$/.test(type)) return "lines";
  return /[/+]json$/.test(type) ? "json" : "text";
}

function isText(chunk: unknown, stream: Stream): boolean {
  if (chunk instanceof Uint8Array || chunk instanceof ArrayBuffer) return true;
  if (typeof chunk !== "string") return false;
  return stream.kind === "web" || (stream.kind === "readable" && !stream.value.readableObjectMode);
}

function cut(chunk: unknown, length: number): unknown {
  return typeof chunk === "string" ? chunk.slice(0, length) : bytesOf(chunk as object).subarray(0, length);
}

function sizeOf(chunk: unknown): number {
  if (typeof chunk === "string") return chunk.length;
  return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer ? chunk.byteLength : 0;
}
