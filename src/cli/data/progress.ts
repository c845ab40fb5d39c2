import { formatDuration } from "../../core/index.ts";
import { count } from "../../report/index.ts";
import type { CommandContext } from "../command.ts";
import { bar } from "../draw/bar.ts";
import { bytesText } from "../draw/data-lines.ts";
import { type Line, span } from "../draw/line.ts";
import { LiveScreen } from "../live-screen.ts";

/** How often a terminal is painted, and how often a line is said where nobody looks on. */
const paintEveryMs = 100;
const sayEveryMs = 5_000;

/** Rows that go by: a line painted over on a terminal, one every few seconds on stderr elsewhere, nothing with --json. */
export class DataProgress implements Disposable {
  readonly #context: CommandContext;
  readonly #screen: LiveScreen | undefined;
  readonly #begun: number;
  #doing = "";
  #since = 0;
  #said: number;
  #rows = 0;
  #bytes = 0;
  #total: number | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
    this.#begun = context.clock.monotonic();
    this.#said = this.#begun;
    this.#screen = context.terminal.live && !context.json ? new LiveScreen(context.terminal) : undefined;
  }

  get elapsedMs(): number {
    return this.#context.clock.monotonic() - this.#begun;
  }

  /** Begins a part of the work; `total` rows, where that is known. */
  part(doing: string, total?: number): void {
    this.#doing = doing;
    this.#total = total;
    this.#rows = 0;
    this.#bytes = 0;
    this.#since = this.#context.clock.monotonic();
  }

  add(rows: number, bytes: number): void {
    this.set(this.#rows + rows, this.#bytes + bytes);
  }

  /** `note`: why it stands still. `leftMs`: how long it takes on, where whoever does the work knows better than by the rows. */
  set(rows: number, bytes: number, about: { readonly note?: string; readonly leftMs?: number } = {}): void {
    this.#rows = rows;
    this.#bytes = bytes;
    const now = this.#context.clock.monotonic();
    if (now - this.#said < (this.#screen === undefined ? sayEveryMs : paintEveryMs)) return;
    this.#said = now;
    if (this.#context.json) return;
    if (this.#screen === undefined) this.#context.terminal.aside(this.#line(now, about));
    else this.#screen.paint([this.#line(now, about)]);
  }

  [Symbol.dispose](): void {
    this.#screen?.clear();
  }

  #line(now: number, { note, leftMs }: { readonly note?: string; readonly leftMs?: number }): Line {
    const spent = Math.max(1, now - this.#since);
    const rate = this.#rows / (spent / 1_000);
    const total = this.#total;
    const byRows = total === undefined || rate === 0 ? undefined : ((total - this.#rows) / rate) * 1_000;
    const left = leftMs ?? byRows;
    const words = [
      `${count(this.#rows)}${total === undefined ? "" : ` of ${count(Math.max(total, this.#rows))}`} rows`,
      bytesText(this.#bytes),
      `${count(rate)}/s`,
      ...(left === undefined || left <= 0 ? [] : [`about ${formatDuration(left)} left`]),
      ...(note === undefined ? [] : [note]),
    ];
    const drawn =
      total === undefined || total === 0 || this.#screen === undefined ? [] : bar(this.#rows / total, 20);
    return [
      span(`${formatDuration(now - this.#begun)}  `, "dim"),
      span(this.#doing.padEnd(8), "bold"),
      ...drawn,
      span(`${drawn.length === 0 ? "" : "  "}${words.join(" · ")}`),
    ];
  }
}
