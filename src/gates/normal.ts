/** ln of the standard normal density at z. */
const lnDensity = (z: number): number => -0.5 * (z * z + Math.log(2 * Math.PI));

/** ln Φ(z), exact to about 1e-9 at any z: a power series in the middle, the continued fraction of Mills' ratio below −5. */
export function lnNormal(z: number): number {
  if (z < -5) {
    const x = -z;
    let fraction = x;
    for (let k = 60; k >= 1; k--) fraction = x + k / fraction;
    return lnDensity(z) - Math.log(fraction);
  }
  if (z > 8) return 0;
  // Φ(z) = ½ + φ(z)·(z + z³/3 + z⁵/(3·5) + …)
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return Math.log(0.5 + Math.exp(lnDensity(z)) * sum);
}
