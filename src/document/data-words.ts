import { dayNames } from "./day-names.ts";
import { tellCommandItem, tellPhaseKeys } from "./data-phase.ts";
import { type DataTree, sentenceOf } from "./data-tree.ts";
import { tellDates } from "./dates.ts";
import { type Context, put } from "./draft.ts";
import { type Field, fieldOf } from "./field-words.ts";
import { readHeading, roleOf } from "./heading.ts";
import { tellMapping } from "./arrows.ts";
import { namesIn } from "./dependencies.ts";
import { ownThreshold, tellFigures } from "./passage.ts";
import { aboutOf as subjectOf, readComparisons } from "./comparisons.ts";
import { levelOf } from "./read-item.ts";
import type { Reading } from "./reading.ts";
import { tellField } from "./tell-field.ts";
import { tellTrigger } from "./tell-trigger.ts";
import type { SectionRole } from "./work-finding.ts";
import { holdsMaps, textOf, wordsOf } from "./data-names.ts";

/** Reads a tree of data by the words of its keys. */
export class DataWords {
  readonly #reading: Reading;
  readonly #first: number;
  /** Key above a list of risks that rates them: `high`. */
  #level = "";

  constructor(reading: Reading, first: number) {
    this.#reading = reading;
    this.#first = first;
  }

  /** Reads a tree whose key (empty at the top and in lists) has given the context its role already. */
  read(tree: DataTree, context: Context, position: string): void {
    if (tree.shape === "scalar") return this.#leaf(tree, context);
    tree.children.forEach((child, index) => {
      if (tree.shape === "list") this.#item(child, context, index, position);
      else this.#member(child, context, position);
    });
  }

  #line(tree: DataTree): number {
    return this.#first + tree.from;
  }

  #said(
    tree: DataTree,
    text: string,
    why: string,
  ): { text: string; line: number; endLine: number; sureness: "likely"; why: string } {
    return { text, line: this.#line(tree), endLine: this.#first + tree.to, sureness: "likely", why };
  }

  #member(tree: DataTree, context: Context, position: string): void {
    const key = tree.key ?? "";
    const label = wordsOf(key);
    const sense = readHeading(label);
    const compound = tree.shape !== "scalar";
    if (
      compound &&
      sense.named &&
      sense.role === "phase" &&
      sense.number !== undefined &&
      context.phase === undefined
    ) {
      this.#phase(tree, sense.title === label ? key : sense.title, sense.number, context);
    } else if (
      compound &&
      sense.container &&
      /phase|stage|wave|étape|etappe|fase|etapa|faza|фаз|этап|阶段|階段|フェーズ|단계/iu.test(label) &&
      context.phase === undefined &&
      holdsMaps(tree)
    ) {
      tree.children.forEach((child, index) => {
        const name = readHeading(wordsOf(child.key ?? ""));
        const title =
          child.key === undefined
            ? (textOf(child, "name") ?? textOf(child, "title") ?? `phase ${index + 1}`)
            : name.named
              ? name.title
              : wordsOf(child.key);
        const given = readHeading(title);
        this.#phase(
          child,
          given.named ? given.title : title,
          name.named ? name.number : given.named ? given.number : undefined,
          context,
        );
      });
    } else if (
      compound &&
      /trigger|abort|auslöser|déclench|disparador|desencaden|gatilho|innesc|триггер|触发|トリガー/iu.test(
        label,
      )
    ) {
      this.#triggers(tree, { ...context, role: "rollback" });
    } else if (compound && (sense.period || dayNames.test(label))) {
      const place = position === "" ? key : `${position} / ${key}`;
      const said = this.#said({ ...tree, to: tree.from }, key, "a period in a timetable");
      const { phase } = context;
      const entry = this.#reading.draft.add("calendar", "calendar", said, context, {
        title: key,
        position: place,
        after: [],
        milestone: false,
      });
      if (phase !== undefined) (phase.calendar as string[]).push(entry.key);
      tellFigures(this.#reading, context, key, this.#line(tree));
      this.read(tree, { ...context, role: "timeline" }, place);
    } else if (compound && this.#isRamp(tree, label)) this.#ramp(tree, context);
    else if (!compound) this.#scalar(tree, key, context);
    else {
      const inner = { ...context, ...this.#roled(label, context) };
      const level = this.#level;
      if (inner.role === "risks") this.#level = levelOf(label) === undefined ? level : label;
      this.read(tree, inner, position);
      this.#level = level;
    }
  }

  #roled(label: string, context: Context): Partial<Context> {
    const field = fieldOf(label);
    const own = roleOf(label);
    const byField: Partial<Record<Field, SectionRole>> = {
      step: "step",
      criterion: "criteria",
      threshold: "thresholds",
      metric: "thresholds",
      risk: "risks",
      unit: "unit",
    };
    const role = own !== "other" ? own : ((field === undefined ? undefined : byField[field]) ?? context.role);
    return { role, way: role === "rollback" ? "rollback" : context.way };
  }

  #phase(tree: DataTree, title: string, number: string | undefined, context: Context): void {
    const text = tree.key ?? title;
    const told = {
      title,
      ...(number === undefined ? {} : { number }),
      text,
      line: this.#line(tree),
      sureness: "certain",
      why: "a phase by its key",
      defines: false,
    } as const;
    const phase = this.#reading.phase(told, context);
    tellPhaseKeys(this.#reading, tree, { ...context, phase }, this.#first);
    this.read(tree, { ...context, phase, role: "phase" }, "");
  }

  #triggers(tree: DataTree, context: Context): void {
    for (const child of tree.children) {
      const label = wordsOf(child.key ?? "");
      const mode = /manual|manuell|manuel|ручн|手动|手動/iu.test(label)
        ? "manual"
        : /auto|авто|自动|自動/iu.test(label)
          ? "automatic"
          : undefined;
      const list =
        child.shape === "list"
          ? child.children
          : mode !== undefined && child.shape === "map"
            ? child.children
            : [child];
      for (const each of list) {
        const text =
          each.key === undefined || each === child ? sentenceOf(each) : `${each.key}: ${sentenceOf(each)}`;
        const sentence =
          each === child && child.key !== undefined ? `${child.key} ${sentenceOf(each)}` : text;
        tellTrigger(this.#reading, sentence, this.#line(each), this.#first + each.to, context, mode);
      }
    }
  }

  #isRamp(tree: DataTree, label: string): boolean {
    const values = tree.children.map((child) => /^(\d+(?:\.\d+)?)\s?%?$/.exec(child.written)?.[1]);
    return (
      tree.shape === "list" &&
      values.length > 1 &&
      values.every((value) => value !== undefined && Number(value) <= 100) &&
      /roll|ramp|stage|percent|canary|traffic|weight|share|stufen|prozent|anteil|palier|tráfico|traffico|доля|процент|比例|割合/iu.test(
        label,
      )
    );
  }

  #ramp(tree: DataTree, context: Context): void {
    const stages = tree.children.map((child) => ({
      percent: Number.parseFloat(child.written),
      text: child.written,
      place: this.#reading.draft.place(this.#line(child)),
    }));
    for (const child of tree.children) tellFigures(this.#reading, context, child.written, this.#line(child));
    const said = this.#said(
      tree,
      `${tree.key ?? ""}: ${stages.map(({ text }) => text).join(", ")}`,
      "a list of shares",
    );
    this.#reading.draft.add("ramps", "ramp", said, context, { stages });
  }

  #scalar(tree: DataTree, key: string, context: Context): void {
    const line = this.#line(tree);
    const text = `${key}: ${tree.written}`;
    const { draft } = this.#reading;
    if (tree.written === "") return;
    if (tellField(this.#reading, wordsOf(key), tree.written, text, line, this.#first + tree.to, context))
      return;
    const said = this.#said(tree, `${key}: ${tree.written}`, "a key with a value");
    if (context.role === "thresholds" || context.role === "criteria") {
      const sense = context.role === "criteria" ? "goal" : "limit";
      const written = /^[<>≤≥=±]|\p{L}/u.test(tree.written)
        ? tree.written
        : `${sense === "goal" ? "=" : ">"} ${tree.written}`;
      const measure = wordsOf(key);
      const found = readComparisons(/^[=]/.test(written) ? written.replace("=", "==") : written);
      for (const each of found)
        draft.add(
          "thresholds",
          "threshold",
          said,
          context,
          ownThreshold({ ...each, measure, about: subjectOf(measure) }, { sense }),
        );
      tellFigures(this.#reading, context, tree.written.replace(/[<>≤≥]=?/g, " "), line);
      if (found.length > 0) return;
    } else if (context.role === "mapping") {
      tellMapping(this.#reading, context, text, line, key, tree.written, "a key with its new name", {
        columns: {},
      });
      return;
    } else if (context.role === "checklist" && typeof tree.value === "boolean") {
      draft.add("checks", "check", { ...said, text: key }, context, {
        ticked: tree.value,
        mark: tree.written,
        guards: "entry",
        mentions: [],
        thresholds: [],
      });
      return;
    } else if (context.role === "unit" && context.unit === undefined && typeof tree.value === "number") {
      this.#reading.unit(
        { title: key, text: said.text, line, sureness: "guessed", why: "a key under units", defines: true },
        context,
      ).count = tree.value;
    } else if (fieldOf(wordsOf(key)) === "note" || fieldOf(wordsOf(key)) === undefined) {
      tellDates(this.#reading, context, text, line);
    }
    tellFigures(this.#reading, context, text, line);
  }

  #leaf(tree: DataTree, context: Context): void {
    tellFigures(this.#reading, context, tree.written, this.#line(tree));
  }

  /** An item of a list, by the role that the keys above it gave. */
  #item(tree: DataTree, context: Context, index: number, position: string): void {
    const { draft } = this.#reading;
    const line = this.#line(tree);
    const text = sentenceOf(tree);
    const said = this.#said(tree, text, `item under "${context.section?.title ?? ""}"`);
    const { role } = context;
    const single =
      tree.shape === "scalar" ||
      (tree.shape === "map" && tree.children.length === 1 && tree.children[0]?.shape === "scalar");
    if (role === "risks") this.#risk(tree, context, said);
    else if (single && tellCommandItem(this.#reading, tree, context, line)) return;
    else if (single && role === "criteria") {
      const { thresholds } = tellFigures(this.#reading, context, text, line, { sense: "goal" });
      draft.add("criteria", "criterion", said, context, { thresholds: thresholds.map(({ key }) => key) });
    } else if (single && role === "unit" && context.unit === undefined) {
      this.#reading.unit(
        {
          title: text,
          text,
          line,
          sureness: "likely",
          why: "an item under units",
          order: index + 1,
          defines: true,
        },
        context,
      );
    } else if (
      !single &&
      tree.shape === "map" &&
      (role === "unit" || role === "order") &&
      textOf(tree, "name") !== undefined
    )
      this.#unit(tree, context, index);
    else if (single && role === "checklist") {
      tellFigures(this.#reading, context, text, line);
      draft.add("checks", "check", said, context, {
        ticked: null,
        mark: "",
        guards: "entry",
        mentions: [],
        thresholds: [],
      });
    } else if (single && role === "reports") draft.add("reports", "report", said, context, { title: text });
    else if (single && role === "contingency")
      draft.add("contingencies", "contingency", said, context, { name: text, steps: [] });
    else if (
      single &&
      (role === "timeline" ||
        role === "phase" ||
        role === "step" ||
        role === "cleanup" ||
        role === "rollback" ||
        role === "testing")
    ) {
      const step = this.#reading.step(
        {
          title: text,
          text,
          line,
          endLine: this.#first + tree.to,
          order: index + 1,
          sureness: "likely",
          why: position === "" ? said.why : `planned for ${position}`,
          defines: true,
        },
        context,
      );
      tellFigures(this.#reading, { ...context, step }, text, line);
    } else if (
      tree.shape === "map" &&
      (role === "step" || role === "phase") &&
      (textOf(tree, "name") ?? textOf(tree, "title")) !== undefined
    ) {
      const title = textOf(tree, "name") ?? textOf(tree, "title") ?? "";
      const step = this.#reading.step(
        { title, text: title, line, order: index + 1, sureness: "likely", why: said.why, defines: true },
        context,
      );
      this.read(tree, { ...context, step }, position);
    } else this.read(tree, context, position);
  }

  #unit(tree: DataTree, context: Context, index: number): void {
    const title = textOf(tree, "name") ?? "";
    const unit = this.#reading.unit(
      {
        title,
        text: title,
        line: this.#line(tree),
        sureness: "certain",
        why: "an item with a name",
        order: index + 1,
        defines: true,
      },
      context,
    );
    for (const child of tree.children) {
      if (fieldOf(wordsOf(child.key ?? "")) !== "depends") continue;
      const names =
        child.shape === "list" ? child.children.map(({ written }) => written) : namesIn(child.written).names;
      for (const name of names) {
        put(unit.dependsOn, name);
        const other = this.#reading.units.find((each) => each.name === name);
        if (other !== undefined) put(unit.after, other.key);
      }
    }
    this.read(tree, { ...context, unit }, "");
  }

  #risk(
    tree: DataTree,
    context: Context,
    said: { text: string; line: number; endLine: number; sureness: "likely"; why: string },
  ): void {
    if (tree.shape === "list") return this.read(tree, context, "");
    const risk =
      textOf(tree, "description") ??
      textOf(tree, "risk") ??
      textOf(tree, "name") ??
      textOf(tree, "title") ??
      said.text;
    const above = levelOf(this.#level);
    const probability = levelOf(textOf(tree, "probability") ?? textOf(tree, "likelihood") ?? "");
    const impact = levelOf(textOf(tree, "impact") ?? textOf(tree, "severity") ?? "");
    const mitigation = textOf(tree, "mitigation");
    const owner = textOf(tree, "owner");
    tellFigures(this.#reading, context, said.text, said.line);
    this.#reading.draft.add("risks", "risk", said, context, {
      risk,
      ...(probability === undefined ? {} : { probability }),
      ...(impact === undefined ? {} : { impact }),
      ...(above === undefined ? {} : { level: above }),
      ...(mitigation === undefined ? {} : { mitigation }),
      ...(owner === undefined ? {} : { owner }),
    });
    if (owner !== undefined)
      this.#reading.draft.add("roles", "role", { ...said, text: owner }, context, {
        name: owner,
        duty: `owner of "${risk}"`,
      });
  }
}
