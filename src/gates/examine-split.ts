import type { Interval, JsonObject, KeyLoadGauge } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { refuseValue, requireCount, requireShare } from "./input.ts";
import { fromLog, logSum } from "./logarithm.ts";
import { rateInterval } from "./rate-values.ts";
import type { AssignedRule } from "./rules.ts";
import { type SplitCheck, splitCheck } from "./split-check.ts";
import {
  estimateFigures,
  evidenceFigures,
  evidenceOf,
  figure,
  precise,
  type VerdictKind,
} from "./verdict.ts";

/** At 0 and 100 %, where there is no smaller side: keys pinned to the other side, calls that began before. */
const strays = 0.02;

/** One route at one assigned share. */
interface Piece {
  readonly route: string;
  readonly share: number;
  readonly tolerance: number;
  readonly weight: number;
  readonly check: SplitCheck;
  epoch: number;
  from: number;
  to: number;
  fresh: number;
  total: number;
  /** What each door said last at each epoch of how unevenly keys call. */
  readonly loads: Map<string, KeyLoadGauge>;
}

/** Deviations within which heavy keys explain a split, as for the share of a ramp. */
const deviations = 5;

/**
 * Is traffic split as assigned, at every share a route has had? Counts calls of stage `live`, where shares are; calls the
 * old side answered in place of the new count as the new side's, which had been chosen.
 *
 * - One test for each route and share (`splitCheck`), its evidence weighted by 6/(π²i²) in the order in which they first
 *   appear, which no outcome decides; weighted sums of e-values are e-values.
 * - Calls of one key are not independent: with enough of them every split of heavy keys is "not as assigned". So a share
 *   fails only if it is also shown to lie outside of `within`, a part of the smaller side. One more condition only lowers
 *   false alarms. What is left is a statement about the calls: heavy users may truly move the split that far.
 * - Where doors tell how unevenly keys call (`keyLoad`), a share does not fail by what chance among heavy keys explains.
 * - Passes when the newest share of every route is shown to be kept to that tolerance.
 */
export function examineSplit(rule: AssignedRule): Examiner {
  const { alpha, beta, within } = rule;
  if (!(within > 0 && within < 1)) refuseValue("within", "above 0 and below 1", within);
  const pieces = new Map<string, Piece>();

  const pieceOf = ({ id, route, share, from, to }: Interval): Piece => {
    const key = `${share} ${route}`;
    let piece = pieces.get(key);
    if (piece === undefined) {
      const part = share / 100;
      requireShare(`interval ${id}: share / 100`, part);
      const smaller = Math.min(part, 1 - part);
      const tolerance = smaller === 0 ? strays : within * smaller;
      const check = splitCheck({ alpha, beta, shares: { old: 1 - part, new: part }, within: tolerance });
      const weight = 6 / (Math.PI * (pieces.size + 1)) ** 2;
      piece = {
        route,
        share,
        tolerance,
        weight,
        check,
        epoch: 0,
        from,
        to,
        fresh: 0,
        total: 0,
        loads: new Map(),
      };
      pieces.set(key, piece);
    }
    return piece;
  };

  const isOff = (piece: Piece): boolean => {
    const { low, high } = rateInterval(piece.fresh, piece.total, alpha * piece.weight);
    const part = piece.share / 100;
    // Keys are drawn and bring their calls along: norms add up over doors and epochs (see `docs/spec/rollout.md` 6.4).
    let explained = 0;
    for (const { norm, heaviest } of piece.loads.values())
      explained += deviations * Math.sqrt(part * (1 - part)) * norm + heaviest;
    if (Math.abs(piece.fresh - part * piece.total) <= explained) return false;
    return high < part - piece.tolerance || low > part + piece.tolerance;
  };

  return {
    add(interval) {
      const { stage, old, new: fresh, epoch, from, to, door, keyLoad } = interval;
      if (stage !== "live" || old.calls + fresh.calls === 0) return;
      const piece = pieceOf(interval);
      piece.check.observe({ old: old.calls, new: fresh.calls });
      piece.epoch = Math.max(piece.epoch, epoch);
      if (keyLoad !== undefined) {
        requireCount(`interval ${interval.id}: keyLoad.norm`, keyLoad.norm);
        requireCount(`interval ${interval.id}: keyLoad.heaviest`, keyLoad.heaviest);
        piece.loads.set(`${epoch} ${door}`, keyLoad);
      }
      piece.from = Math.min(piece.from, from);
      piece.to = Math.max(piece.to, to);
      piece.fresh += fresh.calls;
      piece.total += old.calls + fresh.calls;
    },
    remember: noUse,
    read: noUse,
    finding() {
      const all = [...pieces.values()].map((piece) => ({ piece, verdict: piece.check.verdict() }));
      const off = all.filter(({ piece }) => isOff(piece));
      const newest = all.filter(
        ({ piece }) =>
          !all.some(({ piece: other }) => other.route === piece.route && other.epoch > piece.epoch),
      );
      const e = fromLog(logSum(off.map(({ piece, verdict }) => Math.log(piece.weight * verdict.e))));
      const ePass = newest.length === 0 ? 0 : Math.min(...newest.map(({ verdict }) => verdict.ePass));
      const evidence = evidenceOf(e, ePass, rule);
      const { needed } = evidence;
      const kind: VerdictKind = e >= needed.fail ? "fail" : ePass >= needed.pass ? "pass" : "hold";
      const waits = newest
        .filter(({ verdict }) => verdict.ePass < needed.pass)
        .map(({ piece, verdict }) =>
          verdict.waitFraction === undefined ? Number.NaN : verdict.waitFraction * (piece.to - piece.from),
        );
      const wait = waits.length === 0 ? Number.NaN : Math.max(...waits);
      const told = (of: typeof all): string =>
        of
          .map(({ piece }) => {
            const { route, share, fresh, total, tolerance } = piece;
            return `${route} ${precise((fresh / total) * 100)} % of ${total} calls, assigned ${precise(share)} ± ${precise(tolerance * 100)} %`;
          })
          .join("; ");
      return {
        kind,
        reason:
          all.length === 0
            ? "no calls at stage live yet"
            : kind === "fail"
              ? `split off: ${told(off)} (e ${figure(e)} ≥ ${figure(needed.fail)})`
              : `${told(newest)}: e ${figure(ePass)} of ${figure(needed.pass)}`,
        figures: {
          ...evidenceFigures(evidence),
          within,
          shares: all.map(({ piece }) => figures(piece, beta)),
        },
        ...(kind === "hold" && Number.isFinite(wait) ? { waitMs: Math.round(wait) } : {}),
      };
    },
  };
}

const figures = ({ route, share, fresh, total, tolerance }: Piece, beta: number): JsonObject => ({
  route,
  assigned: share,
  calls: { old: total - fresh, new: fresh },
  measured: estimateFigures(rateInterval(fresh, total, beta)),
  tolerance,
});
