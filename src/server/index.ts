export type { CarriedRun } from "./call.ts";
export { Doors } from "./doors.ts";
export { serverFaultPoints } from "./fault-points.ts";
export { createOwnerServer, type OwnerServer, type OwnerServerOptions } from "./owner-server.ts";
export { orderRoute } from "./route-calls.ts";
export { readToken } from "./access.ts";
export { socketPath } from "./socket-path.ts";
export type { RouteOrder } from "./wire-shapes.ts";
export {
  createStoreServer,
  type ServerChange,
  type StoreServer,
  type StoreServerOptions,
} from "./store-server.ts";
