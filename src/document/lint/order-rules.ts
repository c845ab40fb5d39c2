import type { Finding, Inventory } from "../inventory.ts";
import type { Place } from "../finding.ts";
import { deletes, isDerived } from "./deleting.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Nothing waits for itself, nothing waits for what is not there, nothing is deleted before it was looked at. */
export function checkOrder(inventory: Inventory, tell: Tell): void {
  const graphs: readonly (readonly Node[])[] = [
    inventory.units.map(({ key, name, place, after }) => ({ key, name, place, after })),
    inventory.steps.map(({ key, title, place, after }) => ({ key, name: title, place, after })),
    inventory.phases.map(({ key, title, place, after }) => ({ key, name: title, place, after })),
    inventory.calendar.map(({ key, title, place, after }) => ({ key, name: title, place, after })),
    ...inventory.orders.map(({ key, items }) =>
      items.map(({ text, place, after }, at) => ({
        key: `${key} ${at}`,
        name: text,
        place,
        after: after.map((other) => `${key} ${other}`),
      })),
    ),
  ];
  const told = new Set<string>();
  for (const graph of graphs)
    for (const cycle of cyclesOf(graph)) {
      const names = cycle.map(({ name }) => name);
      // Units and the list that orders them tell the same circle.
      const key = cycle
        .map(({ place }) => place.line)
        .toSorted((a, b) => a - b)
        .join(" ");
      const [first] = cycle.toSorted(
        (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
      );
      if (told.has(key) || first === undefined) continue;
      told.add(key);
      tell(
        "dependency-cycle",
        { place: first.place, text: first.name },
        {
          expected: "an order in which one comes first",
          found: `${[...names, names[0]].join(" → ")}, each waiting for the next`.slice(0, 300),
          remedy: "take one of these dependencies out",
          also: cycle.map(({ place, name }) => lineOf(place, name)),
        },
      );
    }
  unknown(inventory, tell);
  const acts = actsOf(inventory);
  deleting(acts, tell);
  showing(inventory, acts, tell);
}

interface Node {
  readonly key: string;
  readonly name: string;
  readonly place: Place;
  readonly after: readonly string[];
}

/** One cycle for each knot of things that wait for each other, without recursion: plans may list thousands. */
function cyclesOf(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const state = new Map<string, "open" | "done">();
  const cycles: Node[][] = [];
  for (const root of nodes) {
    if (state.has(root.key)) continue;
    const path: { readonly node: Node; next: number }[] = [{ node: root, next: 0 }];
    state.set(root.key, "open");
    while (path.length > 0) {
      const top = path.at(-1);
      if (top === undefined) break;
      const wanted = top.node.after[top.next++];
      if (wanted === undefined) {
        state.set(top.node.key, "done");
        path.pop();
        continue;
      }
      const other = byKey.get(wanted);
      if (other === undefined) continue;
      if (state.get(wanted) === "open") {
        const from = path.findIndex(({ node }) => node.key === wanted);
        cycles.push(path.slice(from).map(({ node }) => node));
      } else if (!state.has(wanted)) {
        state.set(wanted, "open");
        path.push({ node: other, next: 0 });
      }
    }
  }
  return cycles;
}

const filler =
  /^(?:none|nothing|no|all|every\w*|all (?:the )?above|above|previous|n\/a|-|keine?|nichts|alle|aucune?|ninguno|todos?|nessuno|geen|brak|нет|无|なし)\b/iu;

/** Words after "depends on" that name no unit of the plan. */
function unknown(inventory: Inventory, tell: Tell): void {
  const slug = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  const names = inventory.units.map(({ name }) => slug(name));
  for (const unit of inventory.units)
    for (const wanted of unit.dependsOn) {
      const word = slug(wanted);
      if (word === "" || filler.test(wanted.trim()) || /^(?:all|alle|tous|toutes|все)/iu.test(wanted.trim()))
        continue;
      if (names.some((name) => name.includes(word) || (name.length > 3 && word.includes(name)))) continue;
      tell("unknown-dependency", unit, {
        expected: `a part of this plan that ${quoted(unit.name)} can wait for`,
        found: quoted(wanted),
        remedy: "add it to the plan, or say that it is there already",
      });
    }
}

const verifying =
  /\b(?:test|tests|tested|verif\w*|validat\w*|check\w*|compar\w*|diff|smoke|healthz?|lint|clippy|assert\w*|audit|reconcil\w*|fsck|count)\b|sha\d*sum|md5sum|cmp\s|pytest|jest|vitest|ctest|prüf\p{L}*|vergleich\p{L}*|vérifi\p{L}*|verific\p{L}*|sprawd\p{L}*|weryfik\p{L}*|провер\p{L}*|сравн\p{L}*|验证|检查|核对|確認|検証|확인|검증/iu;

/** Steps about tests that verify nothing: they write, move or keep them. */
const keeping =
  /^\s*(?:archive|update|write|add|create|document|plan|prepare|remove|clean|move|rename|import|delete|archivier|schreib|aktualisier)/iu;

interface Act {
  readonly place: Place;
  readonly text: string;
  readonly home: string;
  readonly section: string | undefined;
  readonly does: "deletes" | "verifies" | "other";
}

/** The phase a finding stands in, or its part in a plan without phases; undefined on the way back. */
function homes(inventory: Inventory): (item: Finding) => string | undefined {
  const sections = new Map(inventory.sections.map((section) => [section.key, section]));
  return (item) => {
    const section = item.within.section === undefined ? undefined : sections.get(item.within.section);
    if (section?.role === "rollback" || (item.kind === "step" && item.way === "rollback")) return undefined;
    return item.within.phase ?? item.within.unit ?? section?.path[1] ?? section?.key ?? "";
  };
}

/** What is done, in the order of the document. */
function actsOf(inventory: Inventory): readonly Act[] {
  const homeOf = homes(inventory);
  const work = [...inventory.steps, ...inventory.commands];
  // A heading over commands or steps of its own is their headline.
  const headlines = new Set(work.map(({ within }) => within.step));
  const acts: Act[] = [];
  for (const item of work) {
    const home = homeOf(item);
    if (home === undefined) continue;
    const kills =
      item.kind === "step"
        ? deletes(item.text)
        : !isDerived(item.shell) &&
          item.dangers.some(({ kind, irreversible }) => kind === "deletes" && irreversible);
    // A checklist is not an act in the order of the text; a comment on a command says what it is for.
    const looks =
      item.kind === "command"
        ? verifying.test(`${item.shell} ${item.note ?? ""}`)
        : verifying.test(item.text) && !keeping.test(item.text);
    if (!kills && !looks && headlines.has(item.key)) continue;
    const does = kills ? "deletes" : looks ? "verifies" : "other";
    acts.push({ place: item.place, text: item.text, home, section: item.within.section, does });
  }
  return acts.toSorted(inOrder);
}

const inOrder = (a: { readonly place: Place }, b: { readonly place: Place }): number =>
  a.place.line - b.place.line || a.place.column - b.place.column;

/** Something is deleted, and the first verification of its phase (or part, in a plan without phases) comes only after it. */
function deleting(acts: readonly Act[], tell: Tell): void {
  const told = new Set<string>();
  acts.forEach((act, at) => {
    if (act.does !== "deletes" || told.has(act.home)) return;
    const earlier = acts.slice(0, at).filter(({ does }) => does === "verifies");
    const later = acts.slice(at + 1).find(({ does, home }) => does === "verifies" && home === act.home);
    if (later === undefined || earlier.some(({ home }) => home === act.home)) return;
    // An earlier phase may have verified what is deleted here, unless the verification stands in the same few lines below it.
    if (earlier.length > 0 && later.section !== act.section) return;
    told.add(act.home);
    tell("delete-before-verify", act, {
      expected: `${quoted(later.text)} (line ${later.place.line}) before it`,
      found: `${quoted(act.text)} first`,
      remedy: "verify first, delete last, after an approval and a quiet time",
      also: [lineOf(later.place, quoted(later.text))],
    });
  });
}

/**
 * All that a phase is to show stands below its first deletion: a definition can ask for it only when the thing is gone. What
 * closes a phase in which other work comes first is asked for before the deletion; a task stays where it stands.
 */
function showing(inventory: Inventory, acts: readonly Act[], tell: Tell): void {
  const homeOf = homes(inventory);
  const claims = [
    ...inventory.checks,
    ...inventory.criteria.filter(({ check }) => check === undefined),
  ].toSorted(inOrder);
  for (const [home, own] of Map.groupBy(acts, (act) => act.home)) {
    const at = own.findIndex(({ does }) => does === "deletes");
    const gone = own[at];
    if (gone === undefined || own.some(({ does }) => does === "verifies")) continue;
    const asked = claims.filter((claim) => homeOf(claim) === home);
    const last = Math.max(...own.filter(({ does }) => does === "deletes").map(({ place }) => place.line));
    const shown = asked.some((claim) => {
      const guards = claim.kind === "check" ? claim.guards : "exit";
      // What does not stand as a step of its own is asked for before all deletions, when one of them comes below it.
      return guards === "entry" || claim.place.line <= (guards === "task" ? gone.place.line : last);
    });
    if (shown) continue;
    const late =
      at === 0 ? asked : asked.filter((claim) => claim.kind === "check" && claim.guards === "task");
    const [first] = late;
    if (first === undefined) continue;
    tell("delete-before-verify", gone, {
      expected: `what is to be shown before it; ${quoted(first.text)} (line ${first.place.line}) can only be shown after it`,
      found: `${quoted(gone.text)} first`,
      remedy: "write above the deletion what must hold before it, and below it only what its result shows",
      severity: "warning",
      also: late.map(({ place, text }) => lineOf(place, quoted(text))),
    });
  }
}
