export { distinctDeclarations, livingDeclarations, registerRoutes } from "./door-declarations.ts";
export { storeFaultPoints } from "./fault-points.ts";
export type {
  CancelRequest,
  MovedOrder,
  OrderEvent,
  OrdersTold,
  OrdersTransition,
  PrioritisedOrder,
  QueueConfigured,
  SubmittedOrder,
} from "./order-events.ts";
export type {
  Capacity,
  NewOrder,
  OrderChange,
  OrderCounts,
  OrderEntry,
  OrderLimit,
  OrderRecord,
  OrderSet,
  OrderState,
  OrderStore,
  OrderUsage,
  OrderWait,
  QueueConfig,
  ScheduleRecord,
  WorkerRecord,
} from "./order-records.ts";
export { whyUnfit } from "./orders/unfit.ts";
export { ordersTold } from "./orders-told.ts";
export { type Owner, type OwnOptions, type Ownership, ownFolder, readOwner } from "./owner.ts";
export { RouteFeed, type RouteFeedOptions } from "./route-feed.ts";
export type { RoutesFile } from "./routes-file.ts";
export type {
  AskedDecision,
  ErrorRecord,
  PhaseState,
  RouteChange,
  RunEvent,
  RunState,
  StepState,
  StoredEvent,
} from "./run-events.ts";
export type {
  ApprovalRecord,
  EvidenceRecord,
  IncidentRecord,
  PhaseRecord,
  RunRecord,
  StepRecord,
  VerdictRecord,
} from "./run-records.ts";
export { openStore, type OpenStoreOptions } from "./open-store.ts";
export { openPostgresStore, type PostgresStoreOptions } from "./postgres/open.ts";
export { hasEnded } from "./run-state.ts";
export { storeLink, type StoreLink, type StoreLinkOptions } from "./store-link.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./sqlite/open.ts";
export { declarationLifeMs } from "./store.ts";
export type { ChainReport, EventLog, LostTail, RouteStore, RunStore, Store, StoreReach } from "./store.ts";
