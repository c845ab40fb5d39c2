import { refuseValue, requireCount, requireObject, requireProbability, requireShare } from "./input.ts";
import { fromLog, logGamma, logJeffreys, logLikelihood, timesLog } from "./logarithm.ts";
import { rateInterval } from "./rate-values.ts";
import {
  type Allowed,
  type Estimate,
  type Evidence,
  evidenceOf,
  percent,
  type VerdictKind,
} from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

type Arms<T> = Readonly<Record<string, T>>;

export interface SplitCheckOptions extends Allowed {
  /** Assigned share of every arm, 0 … 1; they add up to 1. */
  readonly shares: Arms<number>;
  /** Passes when every arm is shown to be this near to its share; default 0.01, one point. */
  readonly within?: number;
}

/** `e` argues for "not as assigned", `ePass` for "as assigned, to `within`". */
export interface SplitVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** Of the stretches since the shares last changed: assigned and measured share, with an interval valid at all times. */
  readonly arms: Arms<Estimate & { readonly assigned: number; readonly count: number }>;
  readonly total: number;
  readonly reason: string;
  readonly waitFraction?: number;
}

export interface SplitCheck {
  /**
   * One stretch: how many came to each arm; arms not named had none. `shares` from now on, when they changed.
   * @throws CUTOVER_GATE_INPUT for unknown arms and counts or shares that cannot be; nothing is changed then.
   */
  observe(counts: Arms<number>, shares?: Arms<number>): void;
  verdict(): SplitVerdict;
}

/** Weight of the prior in observations: it looks for shares off by a few points at 50 %, a few tenths at 1 %. */
const concentration = 100;

/**
 * Is traffic split as assigned? A split that is not says that something loses, repeats or misroutes calls, and that no
 * comparison of the sides can be trusted. Count what is assigned (keys that appear for the first time), not calls:
 * calls of heavy keys are not independent.
 *
 * Sequential multinomial test, Lindon and Malek, "Anytime-valid inference for multinomial count data",
 * arXiv 2011.03567: with assigned shares θ and counts x, n = Σx, the Bayes factor of Dirichlet(kθ) against θ,
 * `Γ(k)/Γ(k+n) · Π Γ(kθᵢ+xᵢ)/Γ(kθᵢ) / Π θᵢ^xᵢ`, k = 100, is a martingale while the split is as assigned. When
 * the shares change a new factor begins, and the factors are multiplied: each has mean 1 whatever came before.
 * Anything in an arm with share 0 fails at once. Passing: for each arm and each end of share ± within, the Jeffreys
 * mixture over the likelihood there; the least of them counts, so every end is ruled out at beta (the claim "some arm
 * is off" is a union, so nothing has to be shared out).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function splitCheck(options: SplitCheckOptions): SplitCheck {
  requireObject("options of splitCheck", options);
  const { alpha, beta, within = 0.01 } = options;
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  if (!(within > 0 && within < 0.5)) refuseValue("within", "above 0 and below 0.5", within);
  requireShares(options.shares);
  const names = Object.keys(options.shares);
  let assigned = names.map((name) => options.shares[name] as number);
  let counts = names.map(() => 0);
  /** ln of the factors of earlier shares. */
  let earlier = 0;

  const lnFactor = (times: number): number => {
    const total = counts.reduce((sum, count) => sum + count, 0) * times;
    return counts.reduce(
      (ln, count, i) => {
        const share = assigned[i] as number;
        if (share === 0) return count === 0 ? ln : Number.POSITIVE_INFINITY;
        const [prior, seen] = [concentration * share, count * times];
        return ln + logGamma(prior + seen) - logGamma(prior) - timesLog(seen, share);
      },
      logGamma(concentration) - logGamma(concentration + total),
    );
  };

  const lnPass = (times: number): number => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return 0;
    const against = (count: number, end: number): number =>
      logJeffreys(count * times, total * times) - logLikelihood(count * times, total * times, end);
    const ends = counts.flatMap((count, i) => {
      const [low, high] = [(assigned[i] as number) - within, (assigned[i] as number) + within];
      const seen = count / total;
      return [
        ...(low <= 0 ? [] : [seen <= low ? 0 : against(count, low)]),
        ...(high >= 1 ? [] : [seen >= high ? 0 : against(count, high)]),
      ];
    });
    return Math.min(...ends);
  };

  return {
    observe(more, shares) {
      requireObject("counts", more);
      for (const name of Object.keys(more)) {
        if (!names.includes(name)) refuseValue(`counts.${name}`, `one of the arms ${names.join(", ")}`, name);
        requireCount(`counts.${name}`, more[name] as number);
      }
      if (shares !== undefined) {
        requireShares(shares);
        const missing = names.find((name) => shares[name] === undefined);
        if (missing !== undefined || Object.keys(shares).length !== names.length) {
          refuseValue("shares", `given for ${names.join(", ")}`, Object.keys(shares).join(", "));
        }
        if (names.some((name, i) => shares[name] !== assigned[i])) {
          earlier += lnFactor(1);
          assigned = names.map((name) => shares[name] as number);
          counts = names.map(() => 0);
        }
      }
      counts = counts.map((count, i) => count + (more[names[i] as string] ?? 0));
    },
    verdict() {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const [fail, pass] = [earlier + lnFactor(1), lnPass(1)];
      const evidence = evidenceOf(fromLog(fail), fromLog(pass), options);
      const kind: VerdictKind =
        fail >= Math.log(1 / alpha) ? "fail" : pass >= Math.log(1 / beta) ? "pass" : "hold";
      const waitFraction =
        kind === "hold" && total > 0
          ? soonest(
              projectWait(lnPass, Math.log(1 / beta)),
              projectWait((times) => earlier + lnFactor(times), Math.log(1 / alpha)),
            )
          : undefined;
      const arms = Object.fromEntries(
        names.map((name, i) => {
          const count = counts[i] as number;
          return [
            name,
            { assigned: assigned[i] as number, count, ...rateInterval(count, total, beta / names.length) },
          ];
        }),
      );
      const seen = Object.entries(arms).map(
        ([name, arm]) =>
          `${name} ${arm.estimate === undefined ? "?" : percent(arm.estimate)} of ${percent(arm.assigned)}`,
      );
      const e = kind === "fail" ? evidence.e : evidence.ePass;
      const needed = kind === "fail" ? 1 / alpha : 1 / beta;
      return {
        kind,
        ...evidence,
        arms,
        total,
        reason: `${total === 0 ? "nothing counted yet: " : ""}${seen.join(", ")} (e ${Number(e.toPrecision(2))} of ${needed})`,
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

function requireShares(shares: Arms<number>): void {
  requireObject("shares", shares);
  const all = Object.values(shares);
  if (all.length < 2) refuseValue("shares", "those of at least two arms", all.length);
  for (const [name, share] of Object.entries(shares)) requireShare(`shares.${name}`, share);
  const sum = all.reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) > 1e-9) refuseValue("shares", "adding up to 1", sum);
}
