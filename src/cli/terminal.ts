import { type Line, paint } from "./draw/line.ts";

/** Where a command speaks. Results go to stdout, everything said in passing to stderr. */
export interface Terminal {
  /** Stdout is a terminal that a person looks at. */
  readonly live: boolean;
  readonly colour: boolean;
  columns(): number;
  rows(): number;
  /** One line of result. */
  line(line: Line | string): void;
  /** One line in passing: warnings, hints. */
  aside(line: Line | string): void;
  /** A JSON document, or one line of NDJSON when `compact`. */
  json(value: unknown, compact?: boolean): void;
  /** Raw text, for the live tree. */
  write(text: string): void;
  /**
   * Hands to `take` what anybody else in this process writes to stdout, and on a terminal to stderr, until it is called off:
   * a handler's `console.log` must break neither a picture nor NDJSON. Without `take` it goes to stderr.
   */
  divert(take?: (text: string) => void): () => void;
  /** Aborts when whoever read stdout has gone: who only shows something may end. */
  readonly unread: AbortSignal;
  onResize(listener: () => void): () => void;
  /** Calls `listener` for each key while it is listened to; without a terminal it never does. */
  onKey(listener: (key: string) => void): () => void;
}

/** How long a line may be: on a terminal as it is wide, elsewhere nothing is cut off. */
export const lineWidthOf = (terminal: Terminal): number =>
  terminal.live ? terminal.columns() : Number.POSITIVE_INFINITY;

/** The same document: what JSON lets through and a terminal would obey stands only in its texts, where it can be escaped. */
export const quietJson = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  // A reader that went away (`| head`) must not end a process that carries a run.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  const unread = new AbortController();
  stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") unread.abort();
  });
  const wanted = env["NO_COLOR"] === undefined || env["NO_COLOR"] === "";
  const live = stdout.isTTY && env["TERM"] !== "dumb";
  const colour = live && wanted;
  // Our own writes pass by what is diverted.
  const own = stdout.write.bind(stdout) as (text: string) => boolean;
  const ownAside = stderr.write.bind(stderr) as (text: string) => boolean;
  const asText = (line: Line | string, coloured: boolean): string =>
    typeof line === "string" ? line : paint(line, coloured);
  return {
    live,
    colour,
    unread: unread.signal,
    columns: () => (stdout.isTTY ? Math.max(20, stdout.columns || 80) : 80),
    rows: () => (stdout.isTTY ? Math.max(5, stdout.rows || 24) : 10_000),
    line: (line) => void own(`${asText(line, colour)}\n`),
    aside: (line) => void stderr.write(`${asText(line, stderr.isTTY && wanted)}\n`),
    json: (value, compact = false) =>
      void own(`${quietJson(JSON.stringify(value, null, compact ? 0 : 2))}\n`),
    write: (text) => void own(text),
    divert: (take) => {
      const offs = [
        divertStream(stdout, take ?? ownAside),
        ...(take !== undefined && stderr.isTTY ? [divertStream(stderr, take)] : []),
      ];
      return () => {
        for (const off of offs) off();
      };
    },
    onResize: (listener) => {
      stdout.on("resize", listener);
      return () => stdout.off("resize", listener);
    },
    onKey: (listener) => {
      if (!stdin.isTTY || !live) return () => {};
      const onData = (data: Buffer): void => {
        for (const key of data.toString("utf8")) {
          // A terminal that sends keys one by one sends Ctrl-C as a key too.
          if (key === "\u0003") process.emit("SIGINT");
          else listener(key);
        }
      };
      stdin.setRawMode(true);
      stdin.resume();
      stdin.on("data", onData);
      return () => {
        stdin.off("data", onData);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}

function divertStream(stream: NodeJS.WriteStream, take: (text: string) => void): () => void {
  const before = stream.write.bind(stream);
  stream.write = ((chunk: string | Uint8Array, encoding?: unknown, written?: unknown): boolean => {
    take(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
    const done = typeof encoding === "function" ? encoding : written;
    if (typeof done === "function") queueMicrotask(done as () => void);
    return true;
  }) as typeof stream.write;
  return () => {
    stream.write = before;
  };
}
