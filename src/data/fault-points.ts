/** Places in this room where a crash would hurt most. */
export const dataFaultPoints: readonly string[] = [
  "data.move.claimed",
  "data.move.captured",
  "data.move.chunk-read",
  "data.move.before-write",
  "data.move.written",
  "data.move.before-acknowledge",
  "data.move.acknowledged",
  "data.target.after-commit",
  "data.repair.before-write",
  "data.backup.before-publish",
  "data.restore.before-write",
];
