/** Places in this room where a crash would hurt; see `faultPoint`. */
export const serverFaultPoints: readonly string[] = [
  "server.intervals.before-commit",
  "server.intervals.after-commit",
  "server.route.before-set",
  "server.route.after-set",
];
