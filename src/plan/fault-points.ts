/** Places in this room where a crash hurts: a person is asked but nobody was told, a command runs but its process id is not saved, or it ended unrecorded. */
export const planFaultPoints: readonly string[] = [
  "plan.command.review-asked",
  "plan.command.spawned",
  "plan.command.ended",
  "plan.wave-gate.since-saved",
];
