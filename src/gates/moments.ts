import { refuseValue, requireCount, requireFinite, requireNonNegative, requireObject } from "./input.ts";

/** What a stretch of time says of a measured value. Stretches, doors and processes add up by adding all three. */
export interface MeanObservation {
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Sum of squared distances from the mean. */
  readonly squares: number;
  /** What rounding may have hidden in `squares`: sums of squares of large values far apart from 0 cancel. */
  readonly noise: number;
}

export const noMoments: Moments = { count: 0, mean: 0, squares: 0, noise: 0 };

/** @throws CUTOVER_GATE_INPUT for sums that no numbers have. */
export function momentsOf(place: string, observation: MeanObservation): Moments {
  requireObject(place, observation);
  const { count, sum, sumOfSquares } = observation;
  requireCount(`${place}.count`, count);
  requireFinite(`${place}.sum`, sum);
  requireNonNegative(`${place}.sumOfSquares`, sumOfSquares);
  if (count === 0) {
    if (sum !== 0 || sumOfSquares !== 0) refuseValue(`${place}.count`, "above 0 where there are sums", 0);
    return noMoments;
  }
  const mean = sum / count;
  const squares = sumOfSquares - sum * mean;
  const noise = 1e-15 * (count + 8) * sumOfSquares;
  if (squares < -noise)
    refuseValue(`${place}.sumOfSquares`, `at least sum²/count (${sum * mean})`, sumOfSquares);
  return { count, mean, squares: Math.max(0, squares), noise };
}

/** Both together (Chan's update): exact however far apart the means, where adding sums of squares would cancel. */
export function addMoments(a: Moments, b: Moments): Moments {
  const count = a.count + b.count;
  if (count === 0) return noMoments;
  const apart = b.mean - a.mean;
  return {
    count,
    mean: a.mean + (apart * b.count) / count,
    squares: a.squares + b.squares + (apart * apart * a.count * b.count) / count,
    noise: a.noise + b.noise,
  };
}

/** Sample variance, or undefined where the values do not vary (more than rounding does). */
export function varianceOf({ count, squares, noise }: Moments): number | undefined {
  return count < 2 || squares <= noise ? undefined : (squares + noise) / (count - 1);
}
