import {
  CutoverError,
  type ErrorCode,
  errorCatalog,
  isCutoverError,
  type JsonObject,
} from "../../core/index.ts";
import { storeError } from "../connectors/place.ts";
import { damaged, Packer, type Unpacker } from "./packing.ts";

/** What every connection begins with. */
const greeting = "cutover data door";
const protocolVersion = 1;

/** The calls of a store, by the number that stands for each. */
export const operations = {
  collections: 1,
  get: 2,
  scan: 3,
  count: 4,
  snapshot: 5,
  endSnapshot: 6,
  capture: 7,
  chunk: 8,
  log: 9,
  acknowledge: 10,
  release: 11,
  head: 12,
  retained: 13,
  fence: 14,
  lift: 15,
  apply: 16,
  checkpoint: 17,
  forget: 18,
} as const;

export type Operation = keyof typeof operations;

const operationNames: ReadonlyMap<number, Operation> = new Map(
  Object.entries(operations).map(([name, code]) => [code, name as Operation]),
);

/** @throws CUTOVER_DATA_FORMAT */
export function operationIn(input: Unpacker, place: string): Operation {
  const code = input.byte();
  const operation = operationNames.get(code);
  if (operation === undefined) throw damaged(place, `a call numbered ${code}`);
  return operation;
}

/** What a server says of itself. */
export interface Welcome {
  /** Name of the store in its application. */
  readonly store: string;
  readonly snapshot: boolean;
  readonly retained: boolean;
  /** Bytes of one call, at most. */
  readonly largestCall: number;
}

export function encodeHello(store: string | undefined): Buffer {
  return new Packer()
    .text(greeting)
    .word(protocolVersion)
    .optional(store === undefined ? undefined : Buffer.from(store))
    .done();
}

/** The store that is asked for. @throws CUTOVER_DATA_FORMAT */
export function decodeHello(input: Unpacker, place: string): string | undefined {
  if (input.text() !== greeting) throw damaged(place, "another greeting");
  const version = input.word();
  if (version !== protocolVersion)
    throw damaged(place, `version ${version} of its frames, where this one speaks ${protocolVersion}`);
  const store = input.optional()?.toString();
  input.end();
  return store;
}

export function encodeWelcome({ store, snapshot, retained, largestCall }: Welcome): Buffer {
  return new Packer()
    .text(greeting)
    .word(protocolVersion)
    .text(store)
    .byte(snapshot ? 1 : 0)
    .byte(retained ? 1 : 0)
    .float(largestCall)
    .done();
}

/** @throws CUTOVER_DATA_FORMAT */
export function decodeWelcome(input: Unpacker, place: string): Welcome {
  if (input.text() !== greeting || input.word() !== protocolVersion)
    throw damaged(place, "another greeting or version");
  const store = input.text();
  const snapshot = input.byte() === 1;
  const retained = input.byte() === 1;
  const largestCall = input.float();
  input.end();
  return { store, snapshot, retained, largestCall };
}

const longestMessage = 4_000;
const longestDetails = 65_536;

/** An error as it goes over: what is no error of Cutover gets a code as a store's own would. Never throws. */
export function encodeError(thrown: unknown, place: string): Buffer {
  const error = isCutoverError(thrown) ? thrown : storeError(thrown, place);
  const { code, message, remedy } = error;
  const told = { code, message: message.slice(0, longestMessage), place: error.place, remedy };
  try {
    const text = JSON.stringify({ ...told, details: error.details });
    if (text.length <= longestDetails) return Buffer.from(text);
  } catch {
    // Details of a store of somebody's own may hold what JSON cannot.
  }
  return Buffer.from(JSON.stringify(told));
}

/** Never throws: what cannot be read is an error too, and says so. */
export function decodeError(payload: Buffer, place: string): CutoverError {
  let told: {
    code?: unknown;
    message?: unknown;
    place?: unknown;
    remedy?: unknown;
    details?: unknown;
  } | null;
  try {
    told = JSON.parse(payload.toString()) as typeof told;
  } catch {
    told = null;
  }
  if (typeof told?.code !== "string" || typeof told.message !== "string")
    return damaged(place, "an error that cannot be read");
  const { code, message, details } = told;
  const known = Object.hasOwn(errorCatalog, code);
  return new CutoverError(known ? (code as ErrorCode) : "CUTOVER_DATA_IO", {
    message: known ? message : `${message} (${code})`,
    place: typeof told.place === "string" ? told.place : place,
    ...(typeof told.remedy === "string" ? { remedy: told.remedy } : {}),
    ...(typeof details === "object" && details !== null ? { details: details as JsonObject } : {}),
  });
}
