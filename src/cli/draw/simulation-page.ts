import { formatDuration } from "../../core/index.ts";
import { plural } from "../../report/index.ts";
import type {
  FaultResult,
  HealthyResult,
  NoticedBy,
  SimulationResult,
  Traffic,
} from "../../simulation/index.ts";
import { type Line, span } from "./line.ts";
import { cut, textWidth } from "./text-width.ts";

/** What a simulation showed, in lines of at most `columns`. */
export function simulationPage(result: SimulationResult, columns: number): readonly Line[] {
  const { migration, routes, healthy, faults, seed } = result;
  const lines: Line[] = [
    [span(migration, "bold"), span(` · simulated: ${routes.join(", ")} · nothing was touched`, "dim")],
    ...wrapped([...trafficWords(result.traffic), `seed ${seed}`], " · ", columns).map((text) => [
      span(text, "dim"),
    ]),
    [],
    ...healthyLines(healthy, columns),
  ];
  if (faults.length > 0) lines.push([], headLine(), ...faults.flatMap((fault) => faultLines(fault, columns)));
  const notes = notesOf(result);
  if (notes.length > 0) lines.push([]);
  for (const note of notes)
    for (const text of wrapped(note.split(" "), " ", columns)) lines.push([span(text, "dim")]);
  return lines;
}

function trafficWords({ rate, rhythm, baseError, keys, skew, latency }: Traffic): readonly string[] {
  const calls = rate >= 1 ? `${number(rate)} calls/s` : `${number(rate * 3_600)} calls/h`;
  const shape = latency.shape === "lognormal" ? ` (lognormal ${latency.sigma})` : " (exponential)";
  return [
    `${calls}${rhythm === "flat" ? "" : `, ${rhythm}`}`,
    `${percent(baseError)} fail anyway`,
    `${number(keys)} keys${skew === 0 ? " alike" : `, zipf ${skew}`}`,
    `median ${number(latency.median)} ms${shape}`,
  ];
}

function healthyLines(
  { runs, falseAlarms, by, notCleared, duration }: HealthyResult,
  columns: number,
): readonly Line[] {
  const { low, high } = falseAlarms;
  const good = falseAlarms.runs === 0;
  const lines: Line[] = [
    [
      span("  all is well   "),
      span(
        `${good ? "✔ " : ""}${falseAlarms.runs} of ${plural(runs, "run")} alarmed for nothing`,
        good ? "good" : "wait",
      ),
      span(` (true rate ${percent(low)} – ${percent(high)})`),
    ],
    ...by.map((each) => noticeLine(each, columns)),
  ];
  if (notCleared.runs > 0) {
    lines.push([
      span("                "),
      span(`${notCleared.runs} of ${runs} were not shown to be good in time`, "bad"),
    ]);
    lines.push(...notCleared.by.map((each) => noticeLine(each, columns)));
    if (notCleared.reason !== undefined)
      lines.push(
        ...wrapped(notCleared.reason.split(" "), " ", columns, 16).map((text) => [span(text, "dim")]),
      );
  }
  if (duration !== undefined)
    lines.push([
      span(
        `                the whole way takes ${formatDuration(duration.median)}, 9 of 10 at most ${formatDuration(duration.p90)}`,
      ),
    ]);
  return lines;
}

const widths = [22, 9, 9, 9, 9, 11, 9];

const row = (cells: readonly string[]): string =>
  `  ${cells
    .map((cell, index) => {
      const width = widths[index] ?? 8;
      const shown = cut(cell, width - 1);
      const space = " ".repeat(Math.max(0, width - textWidth(shown)));
      return index === 0 ? shown + space : space + shown;
    })
    .join("")}`;

const headLine = (): Line => [
  span(row(["fault", "noticed", "median", "90 %", "at", "calls hit", "keys hit"]), "dim"),
];

function faultLines(result: FaultResult, columns: number): readonly Line[] {
  const { fault, runs, reached, detected, stopped, detection, where, by, hit } = result;
  const time = (ms: number | undefined): string => (ms === undefined ? "—" : formatDuration(ms));
  if (reached === 0) return [[span(row([fault, "—"])), span("  no run came so far", "wait")]];
  const cells = [
    fault,
    `${detected}/${reached}`,
    time(detection.median),
    time(detection.p90),
    where[0]?.at ?? "—",
    number(hit.calls),
    number(hit.keys),
  ];
  const tone = detected === reached ? "plain" : detected * 2 >= reached ? "wait" : "bad";
  const lines: Line[] = [[span(row(cells), tone)], ...by.map((each) => noticeLine(each, columns))];
  if (detected === 0) lines.push([span("                nothing in this migration notices it", "bad")]);
  else if (stopped < detected)
    lines.push([
      span(`                ${detected - stopped} went on to the end: nothing stopped them`, "wait"),
    ]);
  if (reached < runs)
    lines.push([span(`                ${runs - reached} of ${runs} never came so far`, "dim")]);
  return lines;
}

const noticeLine = ({ by, action, runs }: NoticedBy, columns: number): Line => [
  span(cut(`                ${action}: ${by} (${plural(runs, "run")})`, columns), "dim"),
];

function notesOf({ leftOut, passedOver, whole, faults }: SimulationResult): readonly string[] {
  const blind = faults.filter(({ reached, detected }) => reached > 0 && detected * 2 < reached);
  return [
    ...(whole ? [] : ["stopped early: these are the runs until then"]),
    ...(blind.length === 0
      ? []
      : [
          `seldom noticed: ${blind.map(({ fault }) => fault).join(", ")}; a trigger or gate that sees it would stop the run`,
        ]),
    ...(leftOut.length === 0 ? [] : [`left out, since traffic says nothing about it: ${leftOut.join(", ")}`]),
    ...(passedOver === 0
      ? []
      : [
          `${plural(passedOver, "step")} that ${passedOver === 1 ? "moves" : "move"} no route passed over, taking no time`,
        ]),
  ];
}

/** Words in lines of at most `columns`, indented. */
function wrapped(words: readonly string[], between: string, columns: number, indent = 2): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    const longer = line === "" ? word : line + between + word;
    if (line !== "" && textWidth(longer) + indent > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((text) => " ".repeat(indent) + text);
}

const number = (value: number): string => Number(value.toPrecision(6)).toLocaleString("en");
const percent = (part: number): string => `${Number((part * 100).toPrecision(2))} %`;
