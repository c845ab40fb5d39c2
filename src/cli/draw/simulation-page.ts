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
import { cut, flow, pad, textWidth, wrap } from "./text-width.ts";

/** What a simulation showed, in lines of at most `columns`. */
export function simulationPage(result: SimulationResult, columns: number): readonly Line[] {
  const { migration, routes, healthy, faults, seed } = result;
  const lines: Line[] = [
    [span(migration, "bold"), span(` · simulated: ${routes.join(", ")} · nothing was touched`, "dim")],
    ...indented(flow([...trafficWords(result.traffic), `seed ${seed}`], columns - 2), 2),
    [],
    ...healthyLines(healthy, columns),
  ];
  if (faults.length > 0) lines.push([], headLine(), ...faults.flatMap((fault) => faultLines(fault, columns)));
  const notes = notesOf(result);
  if (notes.length > 0) lines.push([]);
  for (const note of notes) lines.push(...indented(wrap(note, columns - 2), 2));
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
    ],
    [span(`${inset}95 % sure: the true rate lies between ${percent(low)} and ${percent(high)}`, "dim")],
    ...by.map((each) => noticeLine(each, columns)),
  ];
  if (notCleared.runs > 0) {
    lines.push([span(inset), span(`${notCleared.runs} of ${runs} were not shown to be good in time`, "bad")]);
    lines.push(...notCleared.by.map((each) => noticeLine(each, columns)));
    if (notCleared.reason !== undefined)
      lines.push(...indented(wrap(notCleared.reason, columns - inset.length), inset.length));
  }
  if (duration !== undefined)
    lines.push([
      span(
        `${inset}the whole way takes ${formatDuration(duration.median)}, 9 of 10 at most ${formatDuration(duration.p90)}`,
      ),
    ]);
  return lines;
}

const widths = [22, 9, 9, 9, 9, 11, 9];

const row = (cells: readonly string[]): string =>
  `  ${cells.map((cell, index) => (index === 0 ? pad(cell, widths[0] ?? 0) : ` ${pad(cell, (widths[index] ?? 9) - 1, "left")}`)).join("")}`;

/** Where what belongs to the line above begins. */
const inset = " ".repeat(16);

const headLine = (): Line => [
  span(row(["fault", "noticed", "median", "90 %", "at", "calls hit", "keys hit"]), "dim"),
];

function faultLines(result: FaultResult, columns: number): readonly Line[] {
  const { fault, runs, reached, detected, stopped, detection, where, by, hit } = result;
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
  // A fault with place and time may be longer than its column: then it has a line of its own.
  const long = textWidth(fault) >= (widths[0] ?? 0);
  const head: readonly Line[] = long
    ? [[span(`  ${fault}`, tone)], [span(row(["", ...cells.slice(1)]), tone)]]
    : [[span(row(cells), tone)]];
  const lines: Line[] = [...head, ...by.map((each) => noticeLine(each, columns))];
  if (detected === 0) lines.push([span(`${inset}nothing in this migration notices it`, "bad")]);
  else if (stopped < detected)
    lines.push([span(`${inset}${detected - stopped} went on to the end: nothing stopped them`, "wait")]);
  if (reached < runs) lines.push([span(`${inset}${runs - reached} of ${runs} never came so far`, "dim")]);
  return lines;
}

/** In few columns: hours have no minutes. */
function time(ms: number | undefined): string {
  if (ms === undefined) return "—";
  return ms < 3_600_000 ? formatDuration(ms) : `${Number((ms / 3_600_000).toPrecision(3))} h`;
}

const noticeLine = ({ by, action, runs }: NoticedBy, columns: number): Line => [
  span(cut(`${inset}${action}: ${by} (${plural(runs, "run")})`, columns), "dim"),
];

/** More often than chance explains where each trigger and gate may be wrong in one run of a hundred. */
const alarmsTooOften = ({ falseAlarms }: HealthyResult): boolean => falseAlarms.low > 0.05;

/** Whether the definition should be looked at again before it is run. */
export const asksForChange = ({ healthy, faults }: SimulationResult): boolean =>
  alarmsTooOften(healthy) ||
  healthy.notCleared.runs > 0 ||
  faults.some(({ reached, detected }) => reached > 0 && detected === 0);

function notesOf({ leftOut, passedOver, whole, faults, healthy }: SimulationResult): readonly string[] {
  const blind = faults.filter(({ reached, detected }) => reached > 0 && detected * 2 < reached);
  return [
    ...(whole ? [] : ["stopped early: these are the runs until then"]),
    ...(alarmsTooOften(healthy)
      ? ["healthy runs are stopped: raise the limits named above, or compare with the old side (`worseThan`)"]
      : []),
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

const indented = (texts: readonly string[], by: number): readonly Line[] =>
  texts.map((text) => [span(" ".repeat(by) + text, "dim")]);

const number = (value: number): string => Number(value.toPrecision(6)).toLocaleString("en");
const percent = (part: number): string => `${Number((part * 100).toPrecision(2))} %`;
