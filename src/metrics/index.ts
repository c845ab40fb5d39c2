export { commandValue, type CommandValueOptions } from "./command-value.ts";
export { eventLoop, type EventLoopOptions } from "./event-loop.ts";
export type { HeaderValue, HttpOptions } from "./http-figure.ts";
export { jsonValue, type JsonValueOptions } from "./json-value.ts";
export { perSecond } from "./per-second.ts";
export { processTree, type ProcessTree } from "./process-tree.ts";
export { prometheus, type PrometheusOptions, type Reduction } from "./prometheus.ts";
export { sides, type SideSource } from "./sides.ts";
export type { Source, SourceOptions } from "./source.ts";
