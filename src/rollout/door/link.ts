/** Kept in core, because a store gives a link too and knows nothing of doors. */
export type { Link, LinkedDoor } from "../../core/index.ts";
