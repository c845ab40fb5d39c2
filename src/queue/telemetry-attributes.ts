import type { NewOrder, OrderRecord } from "../store/index.ts";
import type { TelemetryAttributes } from "./telemetry-api.ts";

/** Names of OpenTelemetry's semantic conventions for messaging; what they have no name for is `cutover.…`. */
export function addressed(queue: string): TelemetryAttributes {
  return { "messaging.system": "cutover", "messaging.destination.name": queue };
}

export const sendAttributes = (destination: TelemetryAttributes): TelemetryAttributes => ({
  ...destination,
  "messaging.operation.name": "send",
  "messaging.operation.type": "send",
});

export function orderAttributes(
  destination: TelemetryAttributes,
  orders: readonly NewOrder[],
): TelemetryAttributes {
  const operation = sendAttributes(destination);
  const [first, second] = orders;
  if (first === undefined || second !== undefined)
    return { ...operation, "messaging.batch.message_count": orders.length };
  return { ...operation, "messaging.message.id": first.id, "cutover.order.kind": first.kind };
}

export function processAttributes(
  destination: TelemetryAttributes,
  order: OrderRecord,
  worker: string,
): TelemetryAttributes {
  return {
    ...destination,
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.message.id": order.id,
    "messaging.client.id": worker,
    "cutover.order.kind": order.kind,
    // A kind that needs preparation is handed in before its attempt was counted.
    "cutover.order.attempt": order.attempt + (order.state === "PREPARING" ? 1 : 0),
    "cutover.order.fence": order.fence,
  };
}
