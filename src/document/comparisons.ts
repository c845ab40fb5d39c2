import type { Comparison, ThresholdFinding } from "./figure-finding.ts";
import { comparisonWords } from "./figure-words.ts";
import { beginsAt, isSign, lowered } from "./lower.ts";
import { numberOf } from "./number-text.ts";

export interface ReadThreshold {
  readonly at: number;
  readonly written: string;
  readonly measure: string;
  readonly about: ThresholdFinding["about"];
  readonly quantile?: number;
  readonly comparison: Comparison;
  readonly number: number;
  readonly numberText: string;
  readonly unit: string;
  readonly baseline?: string;
  /** The sentence forbids what it compares: `No file > 100 lines`. */
  readonly forbidden: boolean;
}

const symbols: Readonly<Record<string, Comparison>> = {
  "<": "<",
  ">": ">",
  "<=": "<=",
  ">=": ">=",
  "≤": "<=",
  "≥": ">=",
  "==": "=",
  "!=": "!=",
  "≠": "!=",
  "＜": "<",
  "＞": ">",
  "&lt;": "<",
  "&gt;": ">",
};

const spoken: readonly (readonly [string, Comparison])[] = comparisonWords
  .flatMap(([comparison, words]) => words.map((word) => [word, comparison] as const))
  .toSorted(([one], [other]) => other.length - one.length);
/** By their last letter: of 170 words two or three can end a text. */
const spokenBy = new Map<string, (readonly [string, Comparison])[]>();
for (const entry of spoken) {
  const last = entry[0].at(-1) ?? "";
  spokenBy.set(last, [...(spokenBy.get(last) ?? []), entry]);
}
const behind = spoken.filter(([word]) => isSign(word));

const numbers =
  /(?<![\p{Script=Latin}\p{Script=Cyrillic}\p{N}_.,])[-+−]?(?:\d{1,3}(?:[,\u202f]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)/gu;
const symbol = /(<=|>=|==|!=|[<>≤≥≠＜＞±])\s*(?:a\s|an\s|the\s)?\s*[~≈]?\s?$/u;
const article = /(?:^|\s)(?:a|an|the|einem|der|dem|le|la|les|el|los|il|um)\s*$/u;

const relative =
  /^[\s_]*(?:(?:of|over|than|from|vs\.?|above|below|compared (?:to|with)|relative to|against|the|its|von|vom|des|der|du|de la|de|del|della|do|da|van|от|的)[\s_]+){0,3}(baseline|old (?:side|system|rate|value|implementation)|old\b|legacy\b|current (?:level|value|system|state)|current\b|today|before\b|previous\b|existing\b|basislinie|ausgangswert|referenz|altsystem|bisher\p{L}*|(?:la )?référence|ancien\p{L}*|línea base|línea de base|actual|linha de base|riferimento|valore attuale|basislijn|referentie|bazow\p{L}*|базов\p{L}*(?: \p{L}+)?|基线|基準値|基準|ベースライン|現行|旧)/iu;
const unitForm =
  /^(?:\s?([%％‰]|[x×](?![\p{L}])|[x×](?=_)|fach(?!\p{L})|-?mal(?!\p{L})|倍)|\s?(\/\s?\p{L}+|per \p{L}+|pro \p{L}+|par \p{L}+)|\+?\s?(\p{L}[\p{L}%]*(?:\/\p{L}+)?))/iu;
const noUnit =
  /^(?:of|and|or|for|in|on|to|the|than|at|by|is|are|with|from|over|behind|und|oder|bei|im|pro|et|ou|pour|sur|y|o|para|en|e|ou|di|per|of|en|и|или|für|von|der|de|do|if|then|when|before|after|after|as|vs|threshold|baseline|old|current|x_baseline)$/iu;

const unnumbered =
  /(<=|>=|≤|≥|<|>|at least|no worse than|not below)\s*(?:the\s+)?(baseline|current level|current|old)(?![\p{L}])/giu;
const zero =
  /(?:^|[\s(:])(zero|no|keinerlei|keine?|null|cero|zéro|aucune?|nul|nessun[oa]?|sin|sem|geen|brak|без|нет|零|0)\s+((?:data |daten|pertes? |pérdida |perda )?\p{L}[\p{L} -]{2,40})/iu;
const plus = /(?<![\p{L}\p{N}.,])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(\s?%)?\+(?:\s+(\p{L}[\p{L} -]{0,40}))?/gu;
const available =
  /(?<![\p{L}\p{N}.,])(\d+(?:[.,]\d+)?)\s?([%％])\s*((?:\p{L}+ ){0,2}(?:availability|uptime|coverage|verfügbarkeit|disponibilit\p{L}*|disponibilidad|доступност\p{L}*|可用性|可用率|稼働率))/iu;

/** Comparisons of a text with a number (or with the old side), in its order. */
export function readComparisons(text: string, lower: string = lowered(text)): readonly ReadThreshold[] {
  const found: ReadThreshold[] = [];
  for (const match of lower.matchAll(numbers)) {
    const read = comparedAt(text, lower, match.index, match[0]);
    if (read !== undefined) found.push(read);
  }
  for (const match of /baseline|current|old/i.test(text) ? text.matchAll(unnumbered) : []) {
    const [written, sign = "", baseline = ""] = match;
    if (found.some(({ at }) => at === match.index)) continue;
    const comparison = symbols[sign] ?? ">=";
    const unit = { unit: "×", length: 0, baseline };
    found.push(threshold(text, match.index, written, { comparison, numberText: "", unit, after: "" }));
  }
  for (const match of text.includes("+") ? text.matchAll(plus) : []) {
    const [written, numberText = "", sign = "", what = ""] = match;
    if (overlaps(found, match.index, written)) continue;
    const unit = { unit: sign.trim(), length: 0 };
    found.push(threshold(text, match.index, written, { comparison: ">=", numberText, unit, after: what }));
  }
  const up = /[%％]/.test(text) ? available.exec(text) : null;
  if (up !== null && !overlaps(found, up.index, up[0])) {
    const [written, numberText = "", sign = "", what = ""] = up;
    const unit = { unit: sign, length: 0 };
    found.push({
      ...threshold(text, up.index, written, { comparison: ">=", numberText, unit, after: "" }),
      measure: what,
      about: aboutOf(what),
    });
  }
  const none = zero.exec(text);
  if (
    none !== null &&
    !overlaps(found, none.index, none[0]) &&
    /loss|lost|error|fail|downtime|verlust|fehler|ausfall|ausfäll|perte|erreur|pérdida|error|perda|perdit|verlies|strat|потер|ошиб|丢失|损失|損失|mismatch|duplicat|incident|corrupt/i.test(
      none[0],
    )
  ) {
    const [, numberText = "", what = ""] = none;
    const measure = what.trim();
    const at = none.index;
    found.push({
      at,
      written: none[0].trim(),
      measure,
      about: aboutOf(measure),
      comparison: "=",
      number: 0,
      numberText,
      unit: "",
      forbidden: false,
    });
  }
  return found.toSorted((a, b) => a.at - b.at);
}

/** The comparison that a number stands in: a sign or word before it, or a word of a script without spaces behind it. */
function comparedAt(text: string, lower: string, at: number, written: string): ReadThreshold | undefined {
  const numberText = written.replace(/^\+/, "");
  const end = at + written.length;
  const before = lower.slice(Math.max(0, at - 48), at);
  const sign = symbol.exec(before);
  const word = sign === null ? wordBefore(before) : undefined;
  if (sign !== null || word !== undefined) {
    const length = sign === null ? (word?.length ?? 0) : sign[0].length;
    const start = at - length;
    const comparison = sign === null ? word?.comparison : sign[1] === "±" ? "within" : symbols[sign[1] ?? ""];
    const after = text.slice(end, end + 120);
    const arrow =
      sign !== null && (isArrow(text, start, sign[0]) || (sign[1] === "<" && after.startsWith(">")));
    if (comparison !== undefined && !arrow) {
      const unit = readUnit(after);
      return threshold(text, start, text.slice(start, end + unit.length), {
        comparison,
        numberText,
        unit,
        after,
      });
    }
  }
  // `1%を超え`, `250ミリ秒以下`: the word stands behind the unit.
  const rest = text.slice(end, end + 14);
  if (!isSign(rest)) return undefined;
  for (let skip = 0; skip < 9 && !/[\s,、。;；]/.test(rest[skip - 2] ?? ""); skip++) {
    const tail = behind.find(([each]) => rest.startsWith(each, skip));
    if (tail === undefined) continue;
    const after = text.slice(end, end + 80);
    const unit = { ...readUnit(rest.slice(0, skip).replace(/を$/, "")), length: skip };
    return threshold(text, at, text.slice(at, end + skip + tail[0].length), {
      comparison: tail[1],
      numberText,
      unit,
      after,
    });
  }
  return undefined;
}

function wordBefore(
  before: string,
): { readonly comparison: Comparison; readonly length: number } | undefined {
  // `inferior a 5`: the article may be part of the word.
  for (const bare of [before.trimEnd(), before.replace(article, "").trimEnd()]) {
    for (const [word, comparison] of spokenBy.get(bare.at(-1) ?? "") ?? []) {
      if (!bare.endsWith(word)) continue;
      const start = bare.length - word.length;
      if (isSign(word) || beginsAt(bare, start)) return { comparison, length: before.length - start };
    }
  }
  return undefined;
}

const overlaps = (found: readonly ReadThreshold[], at: number, written: string): boolean =>
  found.some((each) => at < each.at + each.written.length && at + written.length > each.at);

const isArrow = (text: string, at: number, whole: string): boolean =>
  (whole.startsWith(">") && /[-=→]$/.test(text.slice(0, at))) ||
  whole.startsWith("=>") ||
  (whole.startsWith("<") && text[at + 1] === "-" && /[-<]/.test(text[at + 2] ?? ""));

interface ReadUnit {
  readonly unit: string;
  /** Characters of what follows the number that belong to it. */
  readonly length: number;
  readonly baseline?: string;
}

function readUnit(after: string): ReadUnit {
  const found = unitForm.exec(after);
  let unit = (found?.[1] ?? found?.[2] ?? found?.[3] ?? "").trim();
  let length = found?.[0].length ?? 0;
  if (found?.[3] !== undefined && noUnit.test(unit)) {
    unit = "";
    length = 0;
  }
  if (/^(?:x|fach|-?mal|倍)$/i.test(unit)) unit = "×";
  if (unit === "％") unit = "%";
  const base = relative.exec(after.slice(length));
  if (base === null) return { unit, length };
  return { unit, length: length + base[0].length, baseline: base[1] ?? "" };
}

function threshold(
  text: string,
  at: number,
  written: string,
  {
    comparison,
    numberText,
    unit,
    after,
  }: { comparison: Comparison; numberText: string; unit: ReadUnit; after: string },
): ReadThreshold {
  const clause = measureBefore(text.slice(Math.max(0, at - 120), at));
  const forbidden =
    /^(?:no|not|never|kein\p{L}*|aucune?|ning[uú]n\p{L}*|nenhum\p{L}*|nessun\p{L}*|geen|żaden|ни)\s/iu.test(
      clause,
    );
  const name = clause.replace(
    /^(?:no|kein\p{L}*|aucune?|ning[uú]n\p{L}*|nenhum\p{L}*|nessun\p{L}*|geen|żaden)\s+/iu,
    "",
  );
  const rest = measureAfter(after.slice(unit.length > 0 && !/^\p{L}/u.test(unit.unit) ? unit.length : 0));
  const said = /\p{L}/u.test(name) ? name : rest;
  const measure = said === unit.unit ? "" : said;
  const quantile = /(?<![\p{L}\p{N}])p(?:_)?(\d{2,4}(?:\.\d+)?)(?!\p{L})|_p(\d{2})\b/iu.exec(measure);
  const digits = quantile?.[1] ?? quantile?.[2];
  return {
    at,
    written: written.trim(),
    measure,
    about: aboutOf(measure),
    ...(digits === undefined ? {} : { quantile: Number(`0.${digits.replace(".", "")}`) }),
    comparison,
    number: numberText === "" ? 1 : numberOf(numberText.replace("−", "-")),
    numberText,
    unit: unit.unit,
    ...(unit.baseline === undefined ? {} : { baseline: unit.baseline }),
    forbidden,
  };
}

/** Words of the clause that ends here. */
function measureBefore(text: string): string {
  const clause =
    text
      .replace(/\([^()]*\)\s*$/u, "")
      .split(
        /[,;:：，；。()[\]!?|&\n]|\.\s|\s(?:and|or|und|oder|et|ou|y|o|e|и|или|if|when|wenn|falls|si|se|als|если|with|allow|ensure)\s/iu,
      )
      .at(-1) ?? "";
  return clause
    .replace(/^\s*(?:[-*+•]\s+)?(?:if|when|wenn|falls|si|se|als|если|jeśli|如果|若|ensure|target)\s+/iu, "")
    .replace(/[がはをの]$/u, "")
    .replace(/[\s=:：~≈"'`]+$|^["'`\s]+/gu, "")
    .replace(
      /\s+(?:is|are|be|stays?|remains?|ist|liegt|sind|bleibt|est|reste|es|está|é|è|is|liegt|jest|has|to|by|steigt|falls|rises|drops|goes|grows)$/iu,
      "",
    )
    .trim();
}

const measureAfter = (text: string): string =>
  (/^\s*([\p{L}][\p{L}\p{N} _-]{0,60})/u.exec(text)?.[1] ?? "")
    .split(/\s(?:and|or|und|oder|et|ou|y|if|when|at|for)\s/iu)[0]
    ?.trim() ?? "";

const subjects: readonly (readonly [ThresholdFinding["about"], RegExp])[] = [
  ["loss", /\bloss\b|\blost\b|verlust|perte|pérdida|perda|perdita|verlies|utrat|потер|丢失|损失|損失|消失/iu],
  [
    "mismatch",
    /mismatch|differ|diverg|discrepan|abweichung|écart|diferenc|diverg|afwijking|rozbieżn|расхожд|不一致|差异|差分/iu,
  ],
  [
    "error-rate",
    /error|fail|fehler|ausfall|ausfäll|erreur|échec|fallo|erro|falha|errore|fout|błęd|ошиб|сбо[йе]|错误|失败|故障|エラー|失敗|오류/iu,
  ],
  [
    "latency",
    /laten|response.?time|\bp\d{2}|_p\d{2}|antwortzeit|reaktionszeit|temps de réponse|tiempo de respuesta|tempo de resposta|tempo di risposta|responstijd|opóźnien|задержк|время ответа|延迟|延時|响应时间|レイテンシ|遅延|応答時間|지연/iu,
  ],
  [
    "throughput",
    /throughput|\brps\b|\bqps\b|requests? (?:per|\/)|durchsatz|débit|rendimiento|vazão|portata|doorvoer|przepustowo|пропускн|吞吐|スループット|처리량/iu,
  ],
  ["memory", /memor|\bram\b|speicher|mémoire|geheugen|pamię|памят|内存|記憶體|メモリ|메모리/iu],
  ["cpu", /\bcpu\b|prozessor|processeur|процессор|处理器/iu],
  [
    "queue",
    /queue|backlog|\blag\b|warteschlange|rückstand|file d'attente|retard|\bcola\b|fila|coda|wachtrij|kolejk|очеред|отставан|队列|积压|キュー|滞留|큐/iu,
  ],
  ["availability", /availab|uptime|verfügbar|disponib|beschikba|dostępno|доступн|可用|稼働率|가용/iu],
  [
    "coverage",
    /coverage|abdeckung|couverture|cobertura|copertura|dekking|pokryci|покрыти|覆盖|網羅|カバレッジ/iu,
  ],
  ["performance", /regress|perform|leistung|wydajno|производительн|性能|パフォーマンス|성능/iu],
  [
    "duration",
    /downtime|duration|schedule|behind|ausfallzeit|dauer|durée|duración|duração|durata|duur|простой|停机|停止時間|ダウンタイム/iu,
  ],
];

/** Which of the known measures a name means. */
export function aboutOf(measure: string): ThresholdFinding["about"] {
  return subjects.find(([, pattern]) => pattern.test(measure))?.[0] ?? "other";
}
