import { tellArrows } from "./arrows.ts";
import { splitClaim } from "./claims.ts";
import { tellCondition } from "./conditions.ts";
import { datesIn, tellDates } from "./dates.ts";
import type { Context } from "./draft.ts";
import { readHeading, readName } from "./heading.ts";
import { tellFigures, tellLinks, type FiguresTold } from "./passage.ts";
import { type ItemText, nameOf } from "./item-text.ts";
import { tellField } from "./tell-field.ts";
import { isTriggerSection, tellTrigger } from "./tell-trigger.ts";
import { tellMentioned } from "./read-commands.ts";
import type { Reading } from "./reading.ts";
import type { CheckFinding } from "./work-finding.ts";

const box = /^\[([ xX✓✔-]?)\]\s*/;
const sign = /^([☐☑☒✅❌✔✓✗✘🔲⬜🟩🚧⏳🔄])\uFE0F?\s*/u;
const tickedSigns = "☑✅✔✓🟩";

/** Reads one item of a list by the section it stands in; gives the context for what stands below it. */
export function readItem(reading: Reading, item: ItemText, context: Context): Context {
  const { draft } = reading;
  const { text, line, endLine, inline } = item;
  if (text === "") {
    draft.form(line);
    return context;
  }
  tellLinks(reading, context, inline, line);
  const mark = box.exec(text) ?? (context.role === "order" ? null : sign.exec(text));
  if (mark !== null) return check(reading, item, mark, context);
  const head = splitClaim(text);
  const sense = readName(head.title);
  const label = /^([^:：]{2,40})[:：]\s*(\S.*)$/u.exec(text);
  if (
    sense.named &&
    sense.number !== undefined &&
    sense.role === "phase" &&
    context.phase === undefined &&
    context.role !== "rollback"
  ) {
    const { number } = sense;
    const title = nameOf({ inline: { plain: sense.title, codes: [], links: [] }, text: sense.title });
    const claim = head.claim === undefined ? {} : { claim: head.claim };
    const phase = reading.phase(
      {
        title,
        number,
        text,
        line,
        endLine,
        sureness: "likely",
        why: "item that begins with a phase",
        ...claim,
        defines: false,
      },
      context,
    );
    tellFigures(reading, { ...context, phase }, inline.plain, line, { role: "phase" }).durations.forEach(
      ({ key }) => (phase.durations as string[]).push(key),
    );
    tellDates(reading, { ...context, phase }, text, line);
    return { ...context, phase, role: "phase" };
  }
  if (
    reading.mode === "container" &&
    context.phase === undefined &&
    isContainer(context) &&
    item.position > 0
  ) {
    const title = nameOf(item);
    const claim = head.claim === undefined ? {} : { claim: head.claim };
    const number = item.number === undefined ? {} : { number: item.number };
    const phase = reading.phase(
      {
        title,
        ...number,
        text,
        line,
        endLine,
        sureness: "guessed",
        why: "item below a heading that announces phases",
        ...claim,
        defines: true,
      },
      context,
    );
    tellFigures(reading, { ...context, phase }, inline.plain, line, { role: "phase" }).durations.forEach(
      ({ key }) => (phase.durations as string[]).push(key),
    );
    tellDates(reading, { ...context, phase }, text, line);
    return { ...context, phase, role: "phase" };
  }
  if (sense.period && sense.number !== undefined) {
    const figures = tellFigures(reading, context, inline.plain, line);
    const said = { text, line, endLine, sureness: "likely", why: "a period as an item" } as const;
    const entry = draft.add("calendar", "calendar", said, context, {
      title: sense.title,
      position: figures.durations[0]?.written ?? text,
      after: [],
      milestone: false,
    });
    if (context.phase !== undefined) (context.phase.calendar as string[]).push(entry.key);
    const rest = sense.title === text ? "" : sense.title.replace(/[:：]\s*$/u, "");
    if (rest !== "") return step(reading, item, context, rest);
    return { ...context, role: context.phase === undefined ? "timeline" : "phase" };
  }
  if (
    label !== null &&
    context.role !== "risks" &&
    tellField(reading, label[1] ?? "", label[2] ?? "", text, line, endLine, context)
  )
    return context;
  return byRole(reading, item, context);
}

const isContainer = ({ section }: Context): boolean =>
  section !== undefined && readHeading(section.title).container;

function byRole(reading: Reading, item: ItemText, context: Context): Context {
  const { draft } = reading;
  const { text, line, endLine, inline } = item;
  const { role, section } = context;
  const base = { text, line, endLine } as const;
  const under = `item under "${section?.title ?? ""}"`;
  if (isTriggerSection(context, item.ordered)) {
    // An item that asks for nothing measurable can only be judged by a person, which makes it no less of a trigger.
    if (!item.ordered || !/procedure|steps|ablauf|schritte/iu.test(section?.text ?? "")) {
      tellTrigger(reading, inline.plain, line, endLine, context);
      return context;
    }
  }
  if (
    !["risks", "contingency", "roles", "files", "reports", "mitigations"].includes(role) &&
    tellCondition(reading, inline.plain, line, endLine, context)
  )
    return context;
  if (tellArrows(reading, context, text, line)) {
    tellFigures(reading, context, inline.plain, line);
    return context;
  }
  switch (role) {
    case "criteria": {
      const { thresholds } = figures(reading, item, context, "goal");
      draft.add("criteria", "criterion", { ...base, sureness: "likely", why: under }, context, {
        thresholds: thresholds.map(({ key }) => key),
      });
      return context;
    }
    case "thresholds": {
      const { thresholds } = figures(reading, item, context, "limit");
      if (thresholds.length === 0) note(reading, item, context);
      return context;
    }
    case "risks": {
      const name = inline.lead?.bold ?? /^(.+?)(?:\s+[-–—]\s+|\s*[:：]\s+|$)/u.exec(text)?.[1] ?? text;
      const rest = text
        .slice(name.length)
        .replace(/^\s*[-–—:：]\s*/u, "")
        .trim();
      const level = levelOf(`${section?.text ?? ""}`);
      figures(reading, item, context, "unknown");
      const mitigation = /mitigat|gegenmaßnahme|→|->|maßnahme/iu.test(rest) ? { mitigation: rest } : {};
      draft.add("risks", "risk", { ...base, sureness: "likely", why: under }, context, {
        risk: text,
        ...(level === undefined ? {} : { level }),
        ...mitigation,
      });
      return context;
    }
    case "contingency": {
      figures(reading, item, context, "unknown");
      if (item.ordered && item.position > 1) {
        const last = draft.lists.contingencies.at(-1);
        if (last?.within.section === section?.key && last !== undefined) {
          (last.steps as unknown[]).push({ text, place: draft.place(line, endLine) });
          draft.tell(line, endLine);
          return context;
        }
      }
      const name = item.ordered ? (section?.title ?? text) : text;
      const steps = item.ordered ? [{ text, place: draft.place(line, endLine) }] : [];
      draft.add("contingencies", "contingency", { ...base, sureness: "likely", why: under }, context, {
        name,
        steps,
      });
      return context;
    }
    case "reports": {
      figures(reading, item, context, "unknown");
      draft.add("reports", "report", { ...base, sureness: "likely", why: under }, context, {
        title: text,
        ...cadenceOf(text),
      });
      return context;
    }
    case "roles": {
      const name = nameOf(item);
      const duty = text
        .slice(name.length)
        .replace(/^\s*[-–—:：(]\s*|\)\s*$/gu, "")
        .trim();
      figures(reading, item, context, "unknown");
      draft.add("roles", "role", { ...base, sureness: "likely", why: under }, context, {
        name,
        ...(duty === "" ? {} : { duty }),
      });
      return context;
    }
    case "files": {
      artifact(reading, item, context);
      return context;
    }
    case "phase":
    case "step":
    case "unit":
    case "order":
    case "rollback":
    case "cleanup":
    case "testing":
    case "checklist":
      return step(reading, item, context);
    case "timeline":
      if (datesIn(text).length > 0) {
        figures(reading, item, context, "unknown");
        return context;
      }
      return item.ordered || context.phase !== undefined
        ? step(reading, item, context)
        : note(reading, item, context);
    case "overview":
    case "goal":
    case "mitigations":
    case "mapping":
    case "ramp":
      return note(reading, item, context);
    case "other":
      if (
        /(?:files?|dateien|fichiers|archivos)\s+(?:created|modified|removed|changed)/iu.test(
          section?.text ?? "",
        )
      )
        artifact(reading, item, context);
      else if (readName(text).named && readName(text).role === "step") return step(reading, item, context);
      else if (item.deleting || (item.ordered && reading.title !== "" && section?.level !== 1))
        return step(reading, item, context, undefined, true);
      else return note(reading, item, context);
      return context;
  }
}

function figures(
  reading: Reading,
  item: ItemText,
  context: Context,
  sense: "goal" | "limit" | "unknown",
): FiguresTold {
  tellMentioned(reading, item.inline.codes, item.line, context);
  tellDates(reading, context, item.text, item.line);
  return tellFigures(reading, context, item.inline.plain, item.line, sense === "unknown" ? {} : { sense });
}

function note(reading: Reading, item: ItemText, context: Context): Context {
  const { text, line, endLine } = item;
  figures(reading, item, context, "unknown");
  const role = context.role === "goal" ? "goal" : "point";
  reading.draft.add(
    "notes",
    "note",
    { text, line, endLine, sureness: "certain", why: "item of a list" },
    context,
    { role },
  );
  return context;
}

function step(reading: Reading, item: ItemText, context: Context, title?: string, guessed = false): Context {
  const { text, line, endLine, inline } = item;
  const head = splitClaim(text);
  const sense = readName(head.title);
  const isStep = sense.named && sense.role === "step";
  const number = isStep ? sense.number : item.number;
  const made = reading.step(
    {
      title: title ?? (isStep ? sense.title : head.title),
      ...(number === undefined ? {} : { number }),
      text,
      line,
      endLine,
      order: item.position,
      sureness: guessed ? "guessed" : item.ordered || isStep ? "likely" : "guessed",
      why: `item under "${context.section?.title ?? ""}"`,
      ...(head.claim === undefined ? {} : { claim: head.claim }),
      defines: true,
    },
    context,
  );
  const inner = { ...context, step: made };
  tellFigures(reading, inner, inline.plain, line);
  tellDates(reading, inner, text, line);
  for (const key of tellMentioned(reading, inline.codes, line, inner)) (made.commands as string[]).push(key);
  return inner;
}

function check(reading: Reading, item: ItemText, mark: RegExpExecArray, context: Context): Context {
  const { draft } = reading;
  const { line, endLine, inline } = item;
  const text = item.text.slice(mark[0].length).trim();
  const written = mark[0].trim();
  const ticked = box.test(mark[0]) ? /[xX✓✔]/.test(mark[1] ?? "") : tickedSigns.includes(mark[1] ?? "?");
  const guards = guardsOf(context);
  const { thresholds } = tellFigures(reading, context, inline.plain.slice(mark[0].length), line, {
    sense: "goal",
  });
  const keys = thresholds.map(({ key }) => key);
  const said = {
    text: text === "" ? written : text,
    line,
    endLine,
    sureness: "certain",
    why: "task list item",
  } as const;
  const mentions = inline.codes.filter(
    (code) => /\s|^\.?\//.test(code) || /^(?:cargo|npm|make|pytest|go|git)\b/.test(code),
  );
  const made = draft.add("checks", "check", said, context, {
    ticked,
    mark: written,
    guards,
    mentions,
    thresholds: keys,
  });
  tellDates(reading, context, text, line);
  if (guards === "success" || context.role === "criteria")
    draft.add("criteria", "criterion", said, context, { check: made.key, thresholds: keys });
  return context;
}

function guardsOf({ role, section, phase, unit }: Context): CheckFinding["guards"] {
  const title = [section?.text ?? "", ...(section?.path.slice(-1) ?? [])].join(" ");
  if (
    /pre-?migration|pre-?flight|pre-?checks?\b|prerequisite|precondition|before|readiness|entry|voraussetzung|vorbereit|vor (?:der|dem)|préalable|prérequis|avant|previ[oa]|requisitos|antes|prima|preliminar|vooraf|przed|wstępn|перед|предвар|до начала|之前|前提|事前|사전/iu.test(
      title,
    )
  )
    return "entry";
  if (role === "criteria") return phase === undefined && unit === undefined ? "success" : "exit";
  if (role === "cleanup") return "cleanup";
  if (role === "checklist" || role === "testing" || role === "thresholds")
    return phase === undefined && unit === undefined && role !== "checklist" ? "success" : "exit";
  return "task";
}

function artifact(reading: Reading, item: ItemText, context: Context): void {
  const { text, line, endLine, inline } = item;
  const title = context.section?.text ?? "";
  const change = /creat|new|neu|créé|nuev|nov|nuov|nieuw|созд|нов|新/iu.test(title)
    ? "created"
    : /remov|delet|gelösch|entfern|supprim|elimin|remov|verwijder|usunię|удал|删除|削除/iu.test(title)
      ? "removed"
      : /modif|chang|geändert|cambi|alter|gewijzig|zmien|измен|修改|変更/iu.test(title)
        ? "modified"
        : "unknown";
  const path = inline.codes[0] ?? /^(.+?)(?:\s+[-–—(]|$)/u.exec(text)?.[1] ?? text;
  const note = text
    .slice(path.length)
    .replace(/^\s*[-–—]\s*/u, "")
    .trim();
  tellFigures(reading, context, inline.plain, line);
  reading.draft.add(
    "artifacts",
    "artifact",
    { text, line, endLine, sureness: "likely", why: `item under "${context.section?.title ?? ""}"` },
    context,
    { path, change, ...(note === "" ? {} : { note }) },
  );
}

export function levelOf(text: string): "low" | "medium" | "high" | "critical" | undefined {
  if (/critical|kritisch|critique|crític|critic[oa]|krytyczn|критич|严重|致命|重大/iu.test(text))
    return "critical";
  if (/\bhigh|hoch|hohe|élevé|\balt[oa]|hoog|wysok|высок|高|높/iu.test(text)) return "high";
  if (/medium|moderate|mittel|moyen|medi[oa]|médi[oa]|midden|gemiddeld|średni|средн|中|중/iu.test(text))
    return "medium";
  if (/\blow|niedrig|gering|faible|baj[oa]|baix[oa]|bass[oa]|laag|nisk|низк|低|낮/iu.test(text)) return "low";
  return undefined;
}

export function cadenceOf(text: string): { readonly cadence?: string } {
  const found =
    /daily|weekly|monthly|hourly|milestone|incident|täglich|wöchentlich|monatlich|quotidien|hebdomadaire|mensuel|diari[oa]|semanal|mensual|mensal|giornalier|settimanal|mensil|dagelijks|wekelijks|codzienn|tygodniow|ежедневн|еженедельн|每日|每周|毎日|毎週|週次|日次/iu.exec(
      text,
    )?.[0];
  return found === undefined ? {} : { cadence: found.toLowerCase() };
}
