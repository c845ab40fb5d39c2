import type { Context } from "./draft.ts";
import type { MappingFinding } from "./work-finding.ts";
import { readDurations, readFigures } from "./figures.ts";
import type { Reading } from "./reading.ts";

const arrow = /\s*(?:→|⟶|⇒|➜|➔|⟹|->|=>|-->|==>)\s*/u;

/** What an arrow in a text means: shares in order a ramp, one arrow between two things a mapping. True when it meant one. */
export function tellArrows(reading: Reading, context: Context, text: string, line: number): boolean {
  const shares = rampIn(text);
  if (shares.length >= 2) {
    const hold = holdIn(reading, text, line);
    const place = reading.draft.place(line);
    const said = {
      text,
      line,
      sureness: shares.length > 2 ? "likely" : "guessed",
      why: "percentages in order",
    } as const;
    reading.draft.add("ramps", "ramp", said, context, {
      stages: shares.map(({ percent, written }) => ({
        percent,
        text: written,
        ...(hold === undefined ? {} : { hold }),
        place,
      })),
    });
    return true;
  }
  const parts = text.split(arrow);
  if (parts.length !== 2 || text.length > 200 || !arrow.test(text)) return false;
  const [left = "", right = ""] = parts;
  if (context.role !== "mapping" && (left.includes(" ") || right.split(/\s/).length > 4)) return false;
  return tellMapping(reading, context, text, line, left, right, "arrow between two things");
}

/** `…, each held for 24 hours`, `每级观察30分钟`: the one length of time that the sentence gives each share. */
function holdIn(reading: Reading, text: string, line: number): string | undefined {
  const each =
    /\beach\b|\bper\b|\bevery\b|jeweils|\bje\b|pro stufe|chaque|chacun|cada|ciascun|ogni|каждый|每|毎|ごと/iu;
  if (!each.test(text)) return undefined;
  const found = readDurations(text).filter(({ sort }) => sort === "length");
  const [only] = found;
  if (only === undefined || found.length > 1 || only.at < text.search(/[%％]/)) return undefined;
  const duration = reading.draft.lists.durations.findLast(
    ({ place, written }) => place.line === line && written === only.written,
  );
  return duration?.key;
}

/** Three or more rising percentages, or two with an arrow between and no measure before them. */
function rampIn(text: string): readonly { readonly percent: number; readonly written: string }[] {
  if (!/[%％]/.test(text) || !/→|⟶|->|=>|then|dann|puis|luego|poi|затем|然后|其次|、|,/iu.test(text))
    return [];
  const { percents, thresholds: all } = readFigures(text);
  // A bound on how long each share is held (`at least 30 minutes`) is no measure of the shares.
  const thresholds = all.filter(({ unit, measure }) => unit === "%" || (measure !== "" && !isTime(unit)));
  const rising = percents.every(({ high }, at) => at === 0 || high > (percents[at - 1]?.high ?? 0));
  const shares = percents.every(
    ({ low, high }) => low === high && low >= 0 && high <= 100 && Number.isInteger(low * 100),
  );
  const plain = thresholds.length === 0 && percents.every(({ written }) => !/^[+-]/.test(written));
  if (!rising || !shares || !plain || percents.length < 2) return [];
  const joined = percents.slice(1).every(({ at }, index) => {
    const before = percents[index];
    return (
      before !== undefined &&
      /^(?:[^%]{0,40}?(?:→|⟶|->|=>|,|、|\bthen\b|\bdann\b|\bpuis\b|\bluego\b|\bpoi\b|\band\b|\bund\b|\bet\b|\by\b|затем|然后)[^%]{0,40})$/iu.test(
        text.slice(before.at + before.written.length, at),
      )
    );
  });
  const whole =
    percents.at(-1)?.high === 100 ||
    /ramp|roll|canary|traffic|stufe|trafic|tráfico|трафик|灰度|流量|トラフィック/iu.test(text);
  return joined && whole ? percents.map(({ high, written }) => ({ percent: high, written })) : [];
}

const isTime = (unit: string): boolean => readDurations(`1 ${unit}`).length > 0;

export const nothing: RegExp =
  /^\s*(?:[([（]?\s*(?:none|n\/a|na|nil|null|new|nothing|removed|dropped|deleted|[-–—∅✗]|keine?r?s?|nichts|neu|entfällt|aucune?|rien|ningun[oa]|nada|nenhuma?|nessun[oa]?|geen|brak|нет|无|無|なし|新規|없음)?\s*[)\]）]?)\s*$/iu;

/** Adds one pair. A side that says none is null; false when both do. */
export function tellMapping(
  reading: Reading,
  context: Context,
  text: string,
  line: number,
  left: string,
  right: string,
  why: string,
  more: {
    readonly columns?: MappingFinding["columns"];
    readonly group?: string;
    readonly about?: MappingFinding["about"];
  } = {},
): boolean {
  const side = (words: string): string | null =>
    nothing.test(words) ? null : words.replace(/^["'`]|["'`]$/g, "").trim();
  const before = side(left);
  const after = side(right);
  if (before === null && after === null) return false;
  const said = { text, line, sureness: more.columns === undefined ? "likely" : "certain", why } as const;
  reading.draft.add("mappings", "mapping", said, context, {
    group: more.group ?? context.section?.title ?? "",
    old: before,
    new: after,
    about: more.about ?? aboutOf(before ?? after ?? ""),
    columns: more.columns ?? {},
  });
  return true;
}

export function aboutOf(name: string): MappingFinding["about"] {
  if (/\w\(.*\)$|::\w+$/.test(name)) return "function";
  if (/^[\w.-]*\/|\.\w{1,4}$/.test(name)) return "file";
  if (/^[A-Z]+(?:_[A-Z]+)+$|^[a-z]+(?:[._-][a-z]+)+$/.test(name)) return "setting";
  if (/^[A-Z][a-z]+[A-Z]\w*$/.test(name)) return "type";
  return "value";
}
