import { formatDuration } from "../core/index.ts";
import { count } from "../report/index.ts";
import type { CommandContext } from "./command.ts";
import { bar } from "./draw/bar.ts";
import { bytesText } from "./draw/data-lines.ts";
import { type Line, lineWidth, span } from "./draw/line.ts";
import { LiveScreen } from "./live-screen.ts";

/** How often a terminal is painted, and how often a line is said where nobody looks on. */
const paintEveryMs = 100;
const sayEveryMs = 5_000;
/** Lengths of the bar: the first that the line has room for. A length for each column would make it jump with every word. */
const barLengths = [20, 10] as const;

type Things = "rows" | "orders" | "events";

/** Things that go by: a line painted over on a terminal, one every few seconds on stderr elsewhere, nothing with --json. */
export class Progress implements Disposable {
  readonly #context: CommandContext;
  readonly #screen: LiveScreen | undefined;
  readonly #begun: number;
  #things: Things;
  #doing = "";
  #since = 0;
  #said: number;
  #done = 0;
  #bytes = 0;
  #total: number | undefined;

  /** @param things what is counted; of rows their bytes, too */
  constructor(context: CommandContext, things: Things = "rows") {
    this.#context = context;
    this.#things = things;
    this.#begun = context.clock.monotonic();
    this.#said = this.#begun;
    this.#screen = context.terminal.live && !context.json ? new LiveScreen(context.terminal) : undefined;
  }

  get elapsedMs(): number {
    return this.#context.clock.monotonic() - this.#begun;
  }

  /** Begins a part of the work; `total` of them, where that is known. */
  part(doing: string, total?: number, things: Things = this.#things): void {
    this.#doing = doing;
    this.#total = total;
    this.#things = things;
    this.#done = 0;
    this.#bytes = 0;
    this.#since = this.#context.clock.monotonic();
  }

  add(done: number, bytes: number): void {
    this.set(this.#done + done, this.#bytes + bytes);
  }

  /** `note`: why it stands still, or what else is known. `leftMs`: how long it takes on, where whoever does the work knows better. */
  set(done: number, bytes: number, about: { readonly note?: string; readonly leftMs?: number } = {}): void {
    this.#done = done;
    this.#bytes = bytes;
    const now = this.#context.clock.monotonic();
    if (now - this.#said < (this.#screen === undefined ? sayEveryMs : paintEveryMs)) return;
    this.#said = now;
    if (this.#context.json) return;
    if (this.#screen === undefined) this.#context.terminal.aside(this.#line(now, about));
    else this.#screen.paint([this.#line(now, about)]);
  }

  /** One line in passing, above what is painted. */
  say(line: string): void {
    this.#screen?.clear();
    this.#context.terminal.aside(line);
  }

  [Symbol.dispose](): void {
    this.#screen?.clear();
  }

  #line(now: number, { note, leftMs }: { readonly note?: string; readonly leftMs?: number }): Line {
    const spent = Math.max(1, now - this.#since);
    const rate = this.#done / (spent / 1_000);
    const total = this.#total;
    const byRows = total === undefined || rate === 0 ? undefined : ((total - this.#done) / rate) * 1_000;
    const left = leftMs ?? byRows;
    const words = [
      `${count(this.#done)}${total === undefined ? "" : ` of ${count(Math.max(total, this.#done))}`} ${this.#things}`,
      ...(this.#things === "rows" ? [bytesText(this.#bytes)] : []),
      `${count(rate)}/s`,
      ...(left === undefined || left <= 0 ? [] : [`about ${formatDuration(left)} left`]),
      ...(note === undefined ? [] : [note]),
    ];
    const before = [
      span(`${formatDuration(now - this.#begun)}  `, "dim"),
      span(this.#doing.padEnd(8), "bold"),
    ];
    const after = span(words.join(" · "));
    const room = this.#context.terminal.columns() - 1 - lineWidth([...before, after]) - 2;
    const length = this.#screen === undefined ? undefined : barLengths.find((columns) => columns <= room);
    const drawn =
      total === undefined || total === 0 || length === undefined
        ? []
        : [...bar(this.#done / total, length), span("  ")];
    return [...before, ...drawn, after];
  }
}
