export type { AuditCase, AuditRecovery, AuditRecoveryOptions, RecoveredOrder } from "./audit-recovery.ts";
export { recoverFromAudit } from "./audit-recovery.ts";
export {
  type Classification,
  classify,
  type Classify,
  fatal,
  type FailureClass,
  retryAfter,
} from "./failure.ts";
export type { CallOptions } from "./calls.ts";
export { headOfQueue, type QueueFacts, type QueueFinding, queueFindings } from "./findings.ts";
export { countBehind } from "./held-places.ts";
export { queueFaultPoints } from "./fault-points.ts";
export type { HealthReason, QueueHealth } from "./health.ts";
export type { HistogramSummary } from "./histogram.ts";
export { machineMemory, type MemoryReader, type MemoryReading } from "./memory.ts";
export type { QueueMetrics } from "./metrics.ts";
export { openQueue } from "./open.ts";
export type { DeadLetterQuery, Queue, Submitted, WaitOptions } from "./queue.ts";
export type { ConfigChange, Limit } from "./queue-config.ts";
export type { RecoverySummary } from "./recovery.ts";
export { type ContainerCommand, docker, type DockerOptions } from "./sandboxes/docker.ts";
export type { DockerClient, DockerEngineOptions } from "./sandboxes/docker-client.ts";
export type { Handler, WorkOrder } from "./sandboxes/in-process.ts";
export type { Execution, Orphan, Sandbox, Usage, WorkTools } from "./sandboxes/sandbox.ts";
export {
  type Command,
  type ProgramOutput,
  subprocess,
  type SubprocessOptions,
} from "./sandboxes/subprocess.ts";
export { workerThread, type WorkerThreadOptions } from "./sandboxes/worker-thread.ts";
export type { ScheduleWhen } from "./schedule-time.ts";
export type { ScheduleOptions } from "./schedule.ts";
export { orderFindings } from "./order-findings.ts";
export { defaultGrace, type QueueOptions } from "./settings.ts";
export type { Size } from "./size.ts";
export { legalEvents, orderEvents, type OrderEvent, orderStates, orderTransitions } from "./states.ts";
export type { Submission, SubmitOptions } from "./submission.ts";
export type { TelemetryApi } from "./telemetry-api.ts";
export { noteOf, type TimelineEntry } from "./timeline.ts";
export {
  defineWorker,
  isWorker,
  type WorkerDefinition,
  type WorkerInput,
  type WorkFunction,
} from "./worker.ts";
export { listWorkers, missingAfterMs } from "./worker-list.ts";
