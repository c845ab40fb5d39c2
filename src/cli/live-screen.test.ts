import { expect, test } from "vitest";
import { span } from "./draw/line.ts";
import { LiveScreen, showCursor } from "./live-screen.ts";
import { quietJson, type Terminal } from "./terminal.ts";

function screen(rows: number): { made: LiveScreen; written: () => string } {
  let written = "";
  const terminal = {
    colour: false,
    columns: () => 40,
    rows: () => rows,
    write: (text: string) => void (written += text),
  } as Terminal;
  return {
    made: new LiveScreen(terminal),
    written: () => {
      const text = written;
      written = "";
      return text;
    },
  };
}
const lines = (n: number) => Array.from({ length: n }, (_, i) => [span(`line ${i}.`)]);

test("what is higher than the terminal is cut at its end: nothing scrolls out of reach", () => {
  const { made, written } = screen(5);
  made.paint(lines(9));
  expect(written()).toMatch(/line 3\.\n(?![^]*line 4\.)/);
  made.paint(lines(2));
  expect(written()).toContain("\u001b[4A");
});

test("a process that ends while the picture stands leaves a cursor; one that took it away says nothing more", () => {
  const { made, written } = screen(5);
  const before = process.listeners("exit");
  const added = (): readonly unknown[] => process.listeners("exit").filter((one) => !before.includes(one));
  made.paint(lines(1));
  made.paint(lines(2));
  expect(added()).toHaveLength(1);
  written();
  for (const one of added()) (one as () => void)();
  expect(written()).toBe(showCursor);
  made.clear();
  expect(added()).toHaveLength(0);
});

test("a document holds nothing that a terminal obeys, and is the same document", () => {
  const value = { a: "x\u009b31m\u202ey\u007f", b: ["\u0007", "ü€😀"] };
  const told = quietJson(JSON.stringify(value));
  expect(told).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
  expect(told).toContain("ü€😀");
  expect(JSON.parse(told)).toEqual(value);
});
