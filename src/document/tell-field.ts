import { statusOf } from "./claims.ts";
import { tellDates } from "./dates.ts";
import { dependenciesOf, namesIn } from "./dependencies.ts";
import { type Context, put } from "./draft.ts";
import { fieldOf } from "./field-words.ts";
import { readName } from "./heading.ts";
import { tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";

/** `Goal: …`, `Dauer: 3 Tage`. False when the label is not known or has no use here. */
export function tellField(
  reading: Reading,
  label: string,
  value: string,
  text: string,
  line: number,
  endLine: number,
  context: Context,
): boolean {
  const { draft } = reading;
  const { phase, unit } = context;
  const field = fieldOf(label);
  const said = { text, line, endLine, sureness: "likely", why: `what "${label.trim()}" says` } as const;
  const owner = phase ?? unit;
  if (field === "goal") {
    if (phase !== undefined) phase.goal ??= value;
    tellFigures(reading, context, text, line);
    draft.add("notes", "note", said, context, { role: "goal" });
    return true;
  }
  if (field === "duration" || field === "effort" || field === "buffer" || field === "total") {
    const role = field === "duration" ? (phase === undefined ? "other" : "phase") : field;
    const { durations } = tellFigures(reading, context, text, line, { role });
    if (durations.length === 0) return false;
    // `Dauer gesamt: 7 Wochen` below the last phase speaks of the plan.
    const whole =
      field === "total" ||
      durations.length > 2 ||
      /total|overall|gesamt|complessiv|итого|всего|общ|总|合計|합계/iu.test(label);
    if (whole) tellTotal(reading, text, line, durations, context);
    if (phase !== undefined && role === "phase" && !whole)
      for (const { key } of durations) put(phase.durations, key);
    const [first] = durations;
    if (field === "effort" && first !== undefined) {
      const effort = draft.add("efforts", "effort", said, context, {
        of: owner?.key ?? "",
        duration: first.key,
      });
      if (unit !== undefined) unit.effort ??= effort.key;
    }
    tellDates(reading, context, text, line);
    return true;
  }
  if (field === "owner") {
    for (const name of namesIn(value).names)
      draft.add("roles", "role", said, context, {
        name,
        duty: `owner of "${owner?.text ?? context.section?.title ?? ""}"`,
      });
    return true;
  }
  if (field === "status") {
    const claim = statusOf(value);
    if (claim === undefined || owner === undefined) return false;
    owner.claim ??= claim;
    draft.add("notes", "note", said, context, { role: "status" });
    return true;
  }
  if (field === "rollback" && phase !== undefined && context.role !== "rollback") {
    phase.wayBack ??= { text: value, forwardOnly: isForwardOnly(value) };
    draft.add("notes", "note", said, context, { role: "point" });
    tellFigures(reading, context, text, line);
    return true;
  }
  if (field === "scope" && phase !== undefined) {
    phase.scope ??= value;
    draft.add("notes", "note", said, context, { role: "point" });
    tellFigures(reading, context, text, line);
    return true;
  }
  if (field === "depends" && owner !== undefined) {
    const wanted = dependenciesOf(text) ?? namesIn(value);
    if (unit !== undefined) for (const name of wanted.names) put(unit.dependsOn, name);
    else if (phase !== undefined) {
      for (const name of wanted.names) {
        const sense = readName(name);
        const other = reading.findPhase({ title: sense.title, number: sense.number ?? name });
        if (other !== undefined && other !== phase) put(phase.after, other.key);
      }
    }
    draft.add("notes", "note", said, context, { role: "point" });
    return true;
  }
  return false;
}

export const isForwardOnly = (text: string): boolean =>
  /forward.?only|no way back|not possible|impossible|irreversib|point of no return|none\b|kein\p{L}* (?:rück|weg)|nicht möglich|unumkehrbar|aucun\p{L}* retour|irréversib|impossible|sin vuelta|irreversib|imposible|sem volta|irreversív|impossível|senza ritorno|impossibile|onomkeerbaar|niet mogelijk|nieodwracaln|niemożliw|необратим|невозмож|不可逆|不可能|无法回|できない|不可/iu.test(
    text,
  );

/** `22 days (4.5 weeks) + 1 week buffer = 5 weeks`: parts before the sign of equality, the buffer apart. */
export function tellTotal(
  reading: Reading,
  text: string,
  line: number,
  durations: ReturnType<typeof tellFigures>["durations"],
  context: Context,
): void {
  if (durations.length === 0) return;
  const equal = text.indexOf("=");
  let cursor = 0;
  const placed = durations.map((duration) => {
    const at = Math.max(text.indexOf(duration.written, cursor), cursor);
    cursor = at + duration.written.length;
    return { duration, at, inBrackets: /[(（][^)）]*$/u.test(text.slice(0, at)) };
  });
  const result = equal === -1 ? undefined : placed.find(({ at }) => at > equal)?.duration;
  const rest = placed.filter(({ duration }) => duration !== result);
  const buffer = rest.flatMap(({ duration }) => (duration.role === "buffer" ? [duration] : []));
  const restated = rest.flatMap(({ duration, inBrackets }) =>
    inBrackets && duration.role !== "buffer" ? [duration] : [],
  );
  const parts = rest.flatMap(({ duration }) =>
    buffer.includes(duration) || restated.includes(duration) ? [] : [duration],
  );
  for (const duration of durations) if (duration.role !== "buffer") duration.role = "total";
  const said = { text, line, sureness: "likely", why: "a sum of durations" } as const;
  reading.draft.add("totals", "total", said, context, {
    parts: parts.map(({ key }) => key),
    restated: restated.map(({ key }) => key),
    buffer: buffer.map(({ key }) => key),
    ...(result === undefined ? {} : { result: result.key }),
  });
}
