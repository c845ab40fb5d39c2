export type { FaultResult, HealthyResult, NoticedBy } from "./case-result.ts";
export { type Fault, readFault } from "./fault.ts";
export type { Played } from "./run-play.ts";
export { type PlayerOptions, type RunPlayer, runPlayer } from "./run-player.ts";
export { simulate, type SimulationOptions, type SimulationResult } from "./simulate.ts";
export { readCount, readTraffic, type Traffic, type TrafficOptions, usualTraffic } from "./traffic.ts";
