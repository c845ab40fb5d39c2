/** Places in this room where a crash hurts: a route is changed and the step has not noted it yet, or the reverse. */
export const rolloutFaultPoints: readonly string[] = [
  "rollout.step.before-saved",
  "rollout.route.before-set",
  "rollout.route.after-set",
  "rollout.level.cleared",
  "rollout.step.finished",
  "rollout.route.before-return",
  "rollout.route.after-return",
];
