/** Places in this room where a crash would hurt most. */
export const dataFaultPoints: readonly string[] = ["data.target.after-commit", "data.repair.before-write"];
