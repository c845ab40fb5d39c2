import type { Context, Growing, Own } from "./draft.ts";
import type { DurationFinding, ThresholdFinding } from "./figure-finding.ts";
import type { ReadThreshold } from "./comparisons.ts";
import { readFigures, type Sense } from "./figures.ts";
import type { Inline } from "./inline.ts";
import type { Reading } from "./reading.ts";

export interface FiguresTold {
  readonly durations: readonly Growing<DurationFinding>[];
  readonly thresholds: readonly Growing<ThresholdFinding>[];
  readonly percents: readonly {
    readonly percent: number;
    readonly text: string;
    readonly at: number;
    readonly line: number;
  }[];
}

export interface FigureOptions {
  readonly sense?: Sense;
  /** What a length of time in this text is. Spans (`Day 2`) are positions wherever they stand. */
  readonly role?: DurationFinding["role"];
  /** Named before the text, as a table names the measure in another cell. */
  readonly measure?: string;
  readonly action?: string;
}

const longRow = 400;

/** Adds the durations, percentages and thresholds of a text that begins on this line. */
export function tellFigures(
  reading: Reading,
  context: Context,
  text: string,
  line: number,
  options: FigureOptions = {},
): FiguresTold {
  const read = readFigures(text);
  const { draft } = reading;
  const flat = !text.includes("\n");
  const lineAt = (offset: number): number => {
    let at = line;
    if (flat) return at;
    for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) at++;
    return at;
  };
  const rowOf = (offset: number): string => {
    const start = flat ? 0 : text.lastIndexOf("\n", offset) + 1;
    const end = flat ? -1 : text.indexOf("\n", offset);
    const stop = end === -1 ? text.length : end;
    // In a long line the words around a figure are what it says; a copy of the line for each would fill the memory.
    return stop - start <= longRow
      ? text.slice(start, stop)
      : text.slice(Math.max(start, offset - 120), Math.min(stop, offset + 120));
  };
  const said = (offset: number, written: string): { text: string; line: number; written: string } => ({
    text: rowOf(offset),
    line: lineAt(offset),
    written,
  });
  const durations = read.durations.map(({ at, written, low, high, unit, sort, approximate }) =>
    draft.add(
      "durations",
      "duration",
      {
        ...said(at, written),
        sureness: sort === "span" ? "likely" : "certain",
        why: "a number with a unit of time",
      },
      context,
      {
        written,
        low,
        high,
        unit,
        sort,
        approximate,
        role: roleOf(text, at, written, sort, context, options),
      },
    ),
  );
  const percents = read.percents.map(({ at, written, low, high }) => {
    draft.add(
      "percents",
      "percent",
      { ...said(at, written), sureness: "certain", why: "a number with %" },
      context,
      { low, high, written },
    );
    return { percent: high, text: written, at, line: lineAt(at) };
  });
  const thresholds = read.thresholds.map((found) => {
    const own = ownThreshold(found, options);
    return draft.add(
      "thresholds",
      "threshold",
      {
        ...said(found.at, found.written),
        sureness: own.measure === "" ? "guessed" : "likely",
        why: "a comparison with a number",
      },
      context,
      own,
    );
  });
  return { durations, thresholds, percents };
}

/** Also of comparisons that a table splits over two cells. */
export function ownThreshold(found: ReadThreshold, options: FigureOptions): Own<ThresholdFinding> {
  const { measure, about, quantile, comparison, number, numberText, unit, baseline, forbidden } = found;
  const { action } = options;
  return {
    measure,
    about,
    ...(quantile === undefined ? {} : { quantile }),
    comparison,
    number,
    numberText,
    unit,
    ...(baseline === undefined ? {} : { baseline }),
    sense: forbidden ? "limit" : (options.sense ?? senseOf(found)),
    ...(action === undefined ? {} : { action, ...doing(action) }),
  };
}

/** `<5% regression` is a wish wherever it stands: nobody asks for at least so much harm. */
function senseOf({ about, comparison }: ReadThreshold): Sense {
  const harm = about === "error-rate" || about === "latency" || about === "loss" || about === "mismatch";
  if (harm && (comparison === "<" || comparison === "<=" || comparison === "=")) return "goal";
  return "unknown";
}

const actions: readonly (readonly [NonNullable<ThresholdFinding["does"]>, RegExp])[] = [
  [
    "rollback",
    /roll.?back|revert|(?:go|sent|send|mov\p{L}*|turn\p{L}*|brought|put) (?:\p{L}+ ){0,2}back|abort|switch back|fall back|zurück|rückw|abbrech|abbruch|revenir|annul|retour|revert|vuelta|abandon|aborta|ripristin|interromp|terugdraai|terugrol|wycof|cofn|откат|отмен|вернут|回滚|回退|中止|ロールバック|切り戻|롤백/iu,
  ],
  [
    "throttle",
    /throttl|reduce|lower|slow|drossel|verringer|reduz|ralentir|rédui|limit(?:er|ar|are)|ralentiz|ridurre|vermind|zmniejsz|ogranicz|снизить|замедл|уменьш|限流|降低|减少|減ら|絞|줄이/iu,
  ],
  [
    "pause",
    /pause|postpone|defer|verschieb|aplaz|延期|推迟|stop|hold|halt|freeze|suspend|anhalten|stopp|pausier|aussetz|suspend|arrêt|geler|pausar|detener|parar|congelar|sospend|ferma|pauzeer|wstrzym|zatrzym|останов|приостанов|пауз|暂停|停止|一時停止|중지|중단/iu,
  ],
  [
    "alert",
    /alert|page\b|notify|investigat|check|warn|inform|look|review|alarm|benachricht|prüf|untersuch|melden|alert|notifi|vérif|examin|enquêt|avis|investig|verific|revisar|waarschuw|onderzoek|powiadom|sprawd|zbada|уведом|провер|расслед|оповест|报警|告警|通知|检查|调查|アラート|通知|調査|確認|알림|확인|조사/iu,
  ],
];

/** Which of the tool's actions words mean; empty when none. */
export function doing(action: string): { readonly does?: NonNullable<ThresholdFinding["does"]> } {
  const does = actions.find(([, pattern]) => pattern.test(action))?.[0];
  return does === undefined ? {} : { does };
}

function roleOf(
  text: string,
  at: number,
  written: string,
  sort: "length" | "span",
  context: Context,
  options: FigureOptions,
): DurationFinding["role"] {
  const near = text.slice(Math.max(0, at - 40), at + written.length + 24);
  if (sort === "span") return "position";
  if (
    /buffer|puffer|slack|reserve|marge|margen|colchón|bufor|буфер|резерв|缓冲|バッファ/iu.test(
      /^[^\d+()=,;]{0,24}/u.exec(text.slice(at + written.length))?.[0] ?? "",
    )
  )
    return "buffer";
  if (
    /[<>≤≥]|within|less than|at most|more than|under|over\s*$|max/iu.test(
      text.slice(Math.max(0, at - 12), at),
    )
  )
    return "limit";
  if (options.role !== undefined) return options.role;
  if (
    /(?:^|[^\p{L}])(?:total|overall|gesamt|summe|totale?|итого|всего|合计|合計)/iu.test(text.slice(0, at)) ||
    /timeline:|=\s*$/iu.test(text.slice(0, at))
  )
    return "total";
  if (/every|each|per |alle |jede|chaque|cada|ogni|elke|co |каждые|每|毎/iu.test(near.slice(0, 40)))
    return "interval";
  if (
    /hold|soak|wait|observe|halten|warten|beobacht|attendre|observer|esperar|observar|attendere|wacht|czeka|ждать|наблюд|观察|等待|待機|観察/iu.test(
      near,
    )
  )
    return "hold";
  if (/^\s*\(/.test(text.slice(at - 1)) && (context.role === "order" || context.unit !== undefined))
    return "effort";
  if (context.step !== undefined) return "step";
  return context.phase !== undefined && context.role === "timeline" ? "phase" : "other";
}

/** Links and people named in a text. */
export function tellLinks(reading: Reading, context: Context, { links }: Inline, line: number): void {
  for (const { target, text } of links) {
    const sort = sortOf(target);
    const why =
      sort === "outside"
        ? "a path that leaves the folder of the document; it is not followed"
        : "a link; it is not followed";
    reading.draft.add(
      "links",
      "link",
      { text: text === "" ? target : text, line, written: target, sureness: "certain", why },
      context,
      { target, sort },
    );
  }
}

function sortOf(target: string): "web" | "inside" | "outside" | "anchor" {
  if (target.startsWith("#")) return "anchor";
  if (/^[a-z][a-z0-9+.-]*:/i.test(target) && !/^file:/i.test(target)) return "web";
  const path = target.replace(/[?#].*$/, "");
  if (/^(?:file:|\/|~|[a-z]:\\|\\\\)/i.test(path)) return "outside";
  let depth = 0;
  for (const part of path.split(/[\\/]/)) {
    if (part === "..") depth--;
    else if (part !== "." && part !== "") depth++;
    if (depth < 0) return "outside";
  }
  return "inside";
}
