/** Places that are neither side by side nor in step with any division of the keys. */
export const spreadAt = (at: number, count: number, rows: number): number =>
  Math.floor(((at + 0.5 + 0.4 * Math.sin(at * 12.9898)) / count) * rows);
