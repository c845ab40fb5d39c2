import type { RunView } from "../report/index.ts";
import type { CommandContext } from "./command.ts";
import { type Line, span } from "./draw/line.ts";
import type { PlainLines } from "./draw/plain-lines.ts";
import type { runTree } from "./draw/run-tree.ts";
import { LiveScreen } from "./live-screen.ts";
import { inStore, type StoreAddress } from "./store-place.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Shows a run while it goes on, each in its own way: a live tree, plain lines or NDJSON. What drawing needs is loaded
 * with the first view: a run's next step must not wait for it.
 */
export interface Presenter {
  show(view: RunView): Promise<void>;
  /** A line said to the person at the keyboard, until the next one; empty takes it away. */
  hint(text: string): void;
  /** Takes away what is not meant to stay; what was shown last stays. */
  end(): void;
  /** No views are wanted faster, milliseconds. */
  readonly gapMs: number;
}

export function choosePresenter(context: CommandContext, keys: string): Presenter {
  const { terminal, json } = context;
  const shown = json
    ? jsonPresenter(terminal)
    : terminal.live
      ? treePresenter(terminal, keys)
      : plainPresenter(terminal, context.clock.now());
  return { ...shown, show: (view) => shown.show(namingStore(view, context)) };
}

/** The view with commands that mean the same store when they are copied. */
export function namingStore(view: RunView, place: Pick<StoreAddress, "storeFlag">): RunView {
  if (place.storeFlag === "") return view;
  return {
    ...view,
    next: { ...view.next, command: inStore(view.next.command, place) },
    wanted: view.wanted.map((each) => ({ ...each, command: inStore(each.command, place) })),
  };
}

function treePresenter(terminal: Terminal, keys: string): Presenter {
  const screen = new LiveScreen(terminal);
  let last: RunView | undefined;
  let treeOf: typeof runTree | undefined;
  let said = "";
  const draw = (): void => {
    if (last === undefined || treeOf === undefined) return;
    const rows = terminal.rows() - 1 - (said === "" ? 0 : 1);
    const tree = treeOf(last, { columns: terminal.columns() - 1, rows, keys });
    const hint: readonly Line[] = said === "" ? [] : [[span(` ${said}`, "wait")]];
    screen.paint([...tree, ...hint]);
  };
  const offResize = terminal.onResize(() => {
    screen.invalidate();
    draw();
  });
  const offOthers = terminal.divert((text) => screen.above(text));
  return {
    gapMs: 100,
    show: async (view) => {
      treeOf ??= (await import("./draw/run-tree.ts")).runTree;
      last = view;
      draw();
    },
    hint: (text) => {
      said = text;
      draw();
    },
    end: () => {
      offResize();
      offOthers();
      screen.clear();
      if (last === undefined || treeOf === undefined) return;
      // What was live stays as it was last, complete and without keys.
      const picture = { columns: terminal.columns(), rows: Number.POSITIVE_INFINITY, keys: "", still: true };
      const tree = treeOf(last, picture);
      for (const line of tree) terminal.line(line);
    },
  };
}

function plainPresenter(terminal: Terminal, since: number): Presenter {
  let lines: PlainLines | undefined;
  return {
    gapMs: 200,
    show: async (view) => {
      lines ??= new (await import("./draw/plain-lines.ts")).PlainLines(since);
      for (const line of lines.next(view)) terminal.line(line);
    },
    hint: (text) => {
      if (text !== "") terminal.aside(text);
    },
    end: () => {},
  };
}

function jsonPresenter(terminal: Terminal): Presenter {
  const offOthers = terminal.divert();
  return {
    gapMs: 500,
    show: (view) => Promise.resolve(terminal.json({ type: "view", view }, true)),
    hint: () => {},
    end: offOthers,
  };
}
