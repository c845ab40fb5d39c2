export const statusMap = {
  queued: { becomes: "PENDING", how: "moves" },
  running: { becomes: "RUNNING", how: "ends in the old queue" },
  waiting_for_children: { becomes: "COMPLETED", how: "ends in the old queue" },
  integrating: { becomes: "RUNNING", how: "ends in the old queue" },
  succeeded: { becomes: "COMPLETED", how: "stays, kept for reading" },
  failed: { becomes: "FAILED", how: "stays, kept for reading" },
  canceled: { becomes: "CANCELLED", how: "stays, kept for reading" },
} as const;
