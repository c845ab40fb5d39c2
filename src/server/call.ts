import type { IncomingMessage, ServerResponse } from "node:http";
import type { LiveRun } from "../report/index.ts";
import type { Clock, Log, RouteDeclaration } from "../core/index.ts";
import type { Decision } from "../engine/index.ts";
import type { RouteFeed, Store } from "../store/index.ts";
import type { Doors } from "./doors.ts";
import type { NdjsonStream } from "./ndjson.ts";

/** A run that this process carries, as far as the server has to do with it; the engine's handle is one. */
export interface CarriedRun {
  live(): LiveRun;
  /** Calls `listener` after every change, also of live progress; returns the way to stop. */
  onChange(listener: () => void): () => void;
  pause(by: string, reason: string): Promise<void>;
  continue(by: string, reason: string): Promise<void>;
  approve(phase: string, by: string, reason: string, evidence?: string): Promise<void>;
  rollback(by: string, reason: string): Promise<void>;
  settle(step: string, outcome: "done" | "not-done", by: string, reason: string): Promise<void>;
  trigger(name: string, by: string, reason: string): Promise<void>;
  lift(name: string, by: string, reason: string): Promise<void>;
}

/** What every call may use. */
export interface ServerContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly doors: Doors;
  readonly pid: number;
  readonly version: string;
  /** The run with this id, while this process carries it. */
  readonly run: (id: string) => CarriedRun | undefined;
  /** Open streams, ended when the server closes. */
  readonly streams: Set<NdjsonStream>;
  /** Changes of routes, those of other processes too where there can be any. */
  readonly feed: RouteFeed;
  /** Runs a write that only the owner of the store may do. */
  readonly alone: <T>(write: (store: Store) => Promise<T>) => Promise<T>;
  /** Told of the routes that a door declares; undefined where declarations live in memory alone. */
  readonly declared: ((declarations: readonly RouteDeclaration[]) => Promise<unknown>) | undefined;
  /** Decides about a run that this process does not carry; undefined where that is refused. */
  readonly decide: ((run: string, decision: Decision) => Promise<unknown>) | undefined;
  /** True when no process carries the run; undefined where only this one could. */
  readonly nobodyCarries: ((run: string) => Promise<boolean>) | undefined;
}

/** One request: its path's variable part decoded, its query, and the way to read its body. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly name: string;
  readonly query: URLSearchParams;
  body(): Promise<unknown>;
}

/** Answers a call with a JSON value; `undefined` when it has written its own answer. */
export type Handler = (context: ServerContext, call: Call) => Promise<unknown>;
