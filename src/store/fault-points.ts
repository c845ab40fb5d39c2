/** Places in this room where a crash would hurt most, in the order a write passes them. */
export const storeFaultPoints: readonly string[] = [
  "store.schema.before-commit",
  "store.commit.before-begin",
  "store.commit.before",
  "store.commit.after",
  "store.routes-file.before-rename",
  "store.routes-file.after-rename",
  "store.owner.before-file",
  "store.owner.after-file",
  "store.rebuild.before-commit",
];
