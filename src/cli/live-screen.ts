import { fit, type Line, lineWidth, paint } from "./draw/line.ts";
import type { Terminal } from "./terminal.ts";

const hideCursor = "\u001b[?25l";
export const showCursor: string = "\u001b[?25h";
/** Terminals that know it show the whole frame at once; the others ignore it. */
const beginFrame = "\u001b[?2026h";
const endFrame = "\u001b[?2026l";
const clearLine = "\u001b[2K";
const clearBelow = "\u001b[0J";

/** A block of lines at the end of the terminal that is painted over in place. */
export class LiveScreen {
  readonly #terminal: Terminal;
  #shown: readonly Line[] = [];
  #text = "";
  #begun = false;
  /** Whatever ends the process must not leave it without a cursor. */
  readonly #atExit = (): void => this.#terminal.write(showCursor);

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /**
   * Paints `lines` in place of those painted before; does nothing when they look the same. At most as many as the terminal
   * has rows but one, and columns but one.
   */
  paint(lines: readonly Line[]): void {
    const columns = this.#terminal.columns();
    // What is higher than the terminal scrolls out of reach, and would be painted below itself ever after.
    const fitted = lines.slice(0, this.#terminal.rows() - 1).map((line) => fit(line, columns - 1));
    const text = fitted.map((line) => `${clearLine}${paint(line, this.#terminal.colour)}\n`).join("");
    if (text === this.#text) return;
    const start = this.#begun ? this.#back(columns) : hideCursor;
    this.#terminal.write(`${beginFrame}${start}${text}${clearBelow}${endFrame}`);
    if (!this.#begun) process.once("exit", this.#atExit);
    this.#begun = true;
    this.#shown = fitted;
    this.#text = text;
  }

  /** Writes `text` above the block, which is painted anew below it. */
  above(text: string): void {
    const start = this.#begun ? `${this.#back(this.#terminal.columns())}${clearBelow}` : "";
    const whole = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    this.#terminal.write(`${beginFrame}${start}${whole}${this.#begun ? this.#text : ""}${endFrame}`);
  }

  /** Forgets what stands there, so that the next paint is complete: after a change of size. */
  invalidate(): void {
    this.#text = "";
  }

  /** Removes the block and shows the cursor again. */
  clear(): void {
    if (!this.#begun) return;
    this.#terminal.write(`${this.#back(this.#terminal.columns())}${clearBelow}${showCursor}`);
    process.off("exit", this.#atExit);
    this.#begun = false;
    this.#shown = [];
    this.#text = "";
  }

  /** To the block's first line. A terminal made narrower has broken our lines: each counts as often as it now wraps. */
  #back(columns: number): string {
    const height = this.#shown.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(lineWidth(line) / columns)),
      0,
    );
    return height === 0 ? "\r" : `\r\u001b[${height}A`;
  }
}
