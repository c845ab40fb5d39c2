import { bytesOf } from "./kinds.ts";
import { parseServerSent, readJson } from "./server-sent.ts";
import type { StreamRecord } from "./stream-record.ts";

/** A recorded stream in the form that is compared. */
export interface StreamFacts {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The events; for JSON its only one is what it says. */
  readonly events?: readonly unknown[];
  /** A text, or bytes that are none. */
  readonly text?: string | Buffer;
  /** Behind the last whole event of a stream that ended there. */
  readonly rest?: string;
  readonly error?: unknown;
}

/** Both sides, of which at least as much was seen as is told here. */
export interface StreamPair {
  readonly old: StreamFacts;
  readonly new: StreamFacts;
  /** False when only the beginning was seen of a side. */
  readonly whole: boolean;
  /** Whether anything was seen that a comparison can prove something by. */
  readonly seen: boolean;
}

interface Parsed {
  readonly facts: StreamFacts;
  readonly length: number;
  readonly part: boolean;
}

/**
 * Brings two records to the same length: of a side that was seen in part only the beginning is known, so the other
 * one's is compared with it. A side that ended before that beginning does is different, and stays shorter.
 */
export function pairStreams(old: StreamRecord, other: StreamRecord): StreamPair {
  const [a, b] = [parse(old), parse(other)];
  const whole = !a.part && !b.part;
  if (whole) return { old: a.facts, new: b.facts, whole, seen: true };
  const shown = Math.min(...[a, b].filter(({ part }) => part).map(({ length }) => length));
  return { old: beginning(a, shown), new: beginning(b, shown), whole, seen: shown > 0 };
}

/** Was as much seen of this stream as of the other one, of which only the beginning is known? */
export function reaches(record: StreamRecord, beginning: StreamRecord): boolean {
  return parse(record).length >= parse(beginning).length;
}

function parse(record: StreamRecord): Parsed {
  const part = record.end === "part";
  const body = bodyOf(record, part);
  const length = body.events?.length ?? body.text?.length ?? 0;
  const error = record.end === "failed" ? { error: record.error } : {};
  return { facts: { ...record.head, ...body, ...error }, length, part };
}

function bodyOf(record: StreamRecord, part: boolean): Pick<StreamFacts, "events" | "text" | "rest"> {
  if (record.format === "events") return { events: record.chunks };
  const text = join(record.chunks, part);
  if (record.format === "text" || typeof text !== "string") return { text };
  // Half a JSON text says nothing that could be compared by content.
  if (record.format === "json") return { events: part || text === "" ? [] : [readJson(text)] };
  const { events, rest } = record.format === "sse" ? parseServerSent(text) : parseLines(text);
  return { events, ...(part || rest === "" ? {} : { rest }) };
}

function parseLines(text: string): { events: unknown[]; rest: string } {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  return { events: lines.map((line) => readJson(line.replace(/\r$/, ""))), rest };
}

/** All pieces as one text; as bytes when they are none. A character cut in two at the end of a part is left out. */
function join(chunks: readonly unknown[], part: boolean): string | Buffer {
  if (chunks.every((chunk) => typeof chunk === "string")) return chunks.join("");
  const bytes = Buffer.concat(
    chunks.map((chunk) =>
      typeof chunk === "object" && chunk !== null ? bytesOf(chunk) : Buffer.from(String(chunk)),
    ),
  );
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: part });
  } catch {
    return bytes;
  }
}

function beginning({ facts, length, part }: Parsed, shown: number): StreamFacts {
  const { events, text, rest, error, ...head } = facts;
  const endedBefore = !part && length < shown;
  return {
    ...head,
    ...(events === undefined ? {} : { events: events.slice(0, shown) }),
    ...(text === undefined
      ? {}
      : { text: typeof text === "string" ? text.slice(0, shown) : text.subarray(0, shown) }),
    ...(endedBefore && rest !== undefined ? { rest } : {}),
    ...(endedBefore && error !== undefined ? { error } : {}),
  };
}
