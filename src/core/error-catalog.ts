import type { ErrorCode } from "./error-code.ts";

/**
 * Every code a door can throw, with its general remedy and the exit code of the command line.
 * `docs/errors.md` is held against this table by a test, both ways. Codes never change once released.
 *
 * Exit codes: 0 done · 1 unexpected · 2 wrong use or definition · 3 held, waits for evidence or a person ·
 * 4 rolled back · 5 rollback stuck · 6 store or machine trouble · 7 somebody else owns it · 130 interrupted.
 */
export interface CatalogEntry {
  readonly exit: number;
  readonly remedy: string;
}

const entry = (exit: number, remedy: string): CatalogEntry => ({ exit, remedy });

export const errorCatalog: Readonly<Record<ErrorCode, CatalogEntry>> = {
  CUTOVER_INTERNAL: entry(1, "this is a defect in Cutover; report it with the text above"),
  CUTOVER_DURATION_INVALID: entry(2, 'write a number with a unit: ms, s, m, h or d, for example "10m"'),
  CUTOVER_FLAG_INVALID: entry(2, "use one of: true, false, 1, 0, yes, no, on, off"),
  CUTOVER_SHARE_INVALID: entry(2, "give a percentage from 0 to 100"),

  CUTOVER_PLAN_INVALID: entry(2, "correct the definition at the named place"),
  CUTOVER_PLAN_CYCLE: entry(2, 'break the circle by removing one of these "after" entries'),
  CUTOVER_PLAN_UNKNOWN_UNIT: entry(2, "name a unit that is listed in `units`, or add it there"),
  CUTOVER_PLAN_UNKNOWN_STEP: entry(2, "name a step of the same phase"),
  CUTOVER_PLAN_UNKNOWN_PHASE: entry(2, "name a phase of this migration"),
  CUTOVER_PLAN_DUPLICATE: entry(2, "give each one a name of its own"),
  CUTOVER_PLAN_UNREACHABLE: entry(
    2,
    "remove the dependency, or let the phase come after one that can be reached",
  ),
  CUTOVER_PLAN_FORWARD_ONLY: entry(2, "add `approval: { by: 1 }` to the phase, or give its steps a way back"),
  CUTOVER_PLAN_NO_WAY_BACK: entry(2, "add a rollback to the step, or mark its phase `forwardOnly`"),
  CUTOVER_PLAN_CHANGED: entry(
    3,
    "look at the difference and continue with --accept-changes, or restore the definition",
  ),
  CUTOVER_PLAN_NOT_FOUND: entry(2, "give the path of a file whose default export is a migration"),
  CUTOVER_PLAN_LOAD: entry(2, "correct the file so that `node FILE` runs it without an error"),

  CUTOVER_DOCUMENT_UNREADABLE: entry(2, "give the path of a file that can be read"),
  CUTOVER_DOCUMENT_FORMAT: entry(2, "save the plan as Markdown or plain text, encoded as UTF-8"),
  CUTOVER_DOCUMENT_ENCODING: entry(2, "convert it, for example with `iconv -f LATIN1 -t UTF-8`"),
  CUTOVER_DOCUMENT_TOO_LARGE: entry(2, "split it, or take logs and data out of it"),
  CUTOVER_DOCUMENT_NESTED: entry(2, "flatten the list at the named line"),
  CUTOVER_DOCUMENT_EMPTY: entry(2, "give a document with the plan in it"),
  CUTOVER_DOCUMENT_DRIFT: entry(
    2,
    "import it again with `cutover import`, or give the text that was imported with --plan",
  ),
  CUTOVER_CLAIM_UNKNOWN: entry(2, "name a claim that `cutover plan` lists as unproven"),
  CUTOVER_CLAIM_AMBIGUOUS: entry(2, "name it by its line in the plan, for example PLAN.md:31"),
  CUTOVER_BIND_INVALID: entry(2, "choose a sort of evidence that can stand there; see `cutover help bind`"),

  CUTOVER_GATE_INPUT: entry(2, "counts are whole numbers ≥ 0, shares lie in 0…1, probabilities in (0, 1)"),
  CUTOVER_SIMULATION_INPUT: entry(2, "see `cutover help simulate` for what each option takes"),
  CUTOVER_METRIC_UNREADABLE: entry(
    6,
    "ask the source yourself as the message names it; until it answers, the gate holds and a trigger on it does not fire",
  ),

  CUTOVER_STORE_CORRUPT: entry(
    6,
    "keep the damaged file, restore a backup or point --store at another folder",
  ),
  CUTOVER_STORE_NEWER: entry(6, "use the newer Cutover that wrote it"),
  CUTOVER_STORE_FULL: entry(
    6,
    "free disk space: a queue goes on by itself, a run with `cutover resume`; nothing that was acknowledged is lost",
  ),
  CUTOVER_STORE_UNAVAILABLE: entry(
    6,
    "check that the folder exists and can be written, or that the server runs and lets this user in",
  ),
  CUTOVER_DRIVER_MISSING: entry(6, "install the named package beside cutover, for example `npm install pg`"),
  CUTOVER_STORE_CLOSED: entry(2, "open the store again"),
  CUTOVER_STORE_GONE: entry(
    6,
    "end every process that has the store open, put the file that is meant in its place, start them again",
  ),
  CUTOVER_STORE_OWNED: entry(
    7,
    "wait until the other process ends, or speak to it with status, pause, rollback",
  ),
  CUTOVER_STORE_CONFLICT: entry(7, "read the current state and try again"),
  CUTOVER_AUDIT_BROKEN: entry(
    6,
    "somebody changed the record; compare it with a backup from before the named event",
  ),

  CUTOVER_RUN_NOT_FOUND: entry(2, "list the runs with `cutover status`"),
  CUTOVER_RUN_STATE: entry(2, "see `cutover status` for what the run allows now"),
  CUTOVER_TRIGGER_UNKNOWN: entry(2, "name a trigger of the run that people fire: `cutover plan` lists them"),
  CUTOVER_RUN_ACTIVE: entry(
    7,
    "finish or roll back the active run first: `cutover resume` or `cutover rollback`",
  ),
  CUTOVER_LEASE_LOST: entry(
    7,
    "nothing more is written here; `cutover status` says who carries the run, `cutover resume` takes it on if nobody does",
  ),
  CUTOVER_STEP_FAILED: entry(4, "read the incident, mend the cause, then run again"),
  CUTOVER_STEP_TIMEOUT: entry(4, "raise the step's timeout or make it faster"),
  CUTOVER_STEP_UNKNOWN: entry(
    3,
    "look whether the step took effect, then `cutover approve` or `cutover rollback`",
  ),
  CUTOVER_STEP_UNPROVEN: entry(
    3,
    "say how it is shown: `cutover bind`; or, once it is done, `cutover settle STEP done --reason …`",
  ),
  CUTOVER_STEP_REVIEW: entry(
    3,
    "read the command, then `cutover settle STEP not-done --reason …` to run it, or `done` to pass over it",
  ),
  CUTOVER_CHECK_FAILED: entry(3, "mend what the checklist names, then `cutover resume`"),
  CUTOVER_ROLLBACK_STUCK: entry(
    5,
    "follow the incident's emergency procedure, then `cutover rollback` again",
  ),
  CUTOVER_ROLLBACK_WAITS: entry(
    5,
    "mend the definition, then `cutover rollback` again; `cutover route NAME --stage off` moves traffic by hand",
  ),
  CUTOVER_WAY_BACK_UNPROVEN: entry(3, "mend what the proof names, then `cutover resume`"),
  CUTOVER_APPROVAL_INVALID: entry(2, "approve the evidence that `cutover status` shows now"),
  CUTOVER_INTERRUPTED: entry(130, "continue with `cutover resume`"),

  CUTOVER_ROUTE_UNKNOWN: entry(2, "name a route that an application or the migration has declared"),
  CUTOVER_ROUTE_EPOCH: entry(7, "the route changed meanwhile; read it again"),
  CUTOVER_ROUTE_DUPLICATE: entry(2, "declare each route once in a process"),
  CUTOVER_ROUTE_FAULT: entry(1, "look at the cause; callers had their answers from the other side"),
  CUTOVER_ROUTE_INVALID: entry(2, "see the docstring of route() for the shape"),
  CUTOVER_JOURNAL_UNAVAILABLE: entry(
    1,
    "make the folder writable, or name one with `journal`; until then second writes are kept in memory only",
  ),
  CUTOVER_JOURNAL_DAMAGED: entry(
    1,
    "compare both sides, copy what is missing, then `backlog(name).clearLost()`; the damaged file was kept beside it",
  ),
  CUTOVER_WRITE_ASIDE: entry(
    1,
    "look at `backlog(name).list()`; remove the cause, then `retry()`, or repair the key by hand, then `discard(id)`",
  ),
  CUTOVER_WRITE_LOST: entry(1, "compare both sides, copy what is missing, then `backlog(name).clearLost()`"),

  CUTOVER_EFFECT_ASTRAY: entry(
    1,
    "call the new side through its route, and keep the thread of async calls: no queue or callback in between",
  ),
  CUTOVER_EFFECT_UNANSWERED: entry(1, "declare an answer: captured(port, { answers: { … } })"),
  CUTOVER_ROLLOUT_INVALID: entry(2, "see the docstring of createRollout() for its options"),
  CUTOVER_STAGES_INVALID: entry(
    2,
    "correct the named place; until then the stages known before stay in force",
  ),
  CUTOVER_STORE_OTHER: entry(
    6,
    "point the server at the store it had; to follow the new one, remove the cache file and start the application again",
  ),

  CUTOVER_QUEUE_ILLEGAL_TRANSITION: entry(2, "send one of the legal events"),
  CUTOVER_QUEUE_FULL: entry(6, "submit again after the given time, or raise the depth limit"),
  CUTOVER_QUEUE_TOO_LARGE: entry(2, "ask for less than the machine has, or run it on a larger one"),
  CUTOVER_QUEUE_UNKNOWN_ORDER: entry(
    2,
    "check the id; an order that was pruned is gone from its queue, only its events stay in the audit log",
  ),
  CUTOVER_QUEUE_UNKNOWN_KIND: entry(2, "register a handler for this kind with queue.work()"),
  CUTOVER_QUEUE_CYCLE: entry(2, 'break the ring by removing one of these "after" entries'),
  CUTOVER_QUEUE_UNKNOWN_TAG: entry(2, "use a known tag, or add it to `knownTags`"),
  CUTOVER_QUEUE_INVALID: entry(2, "correct the named field or option"),
  CUTOVER_QUEUE_CLOSED: entry(2, "open the queue again"),
  CUTOVER_ORDER_FAILED: entry(1, "see the work order's output and timeline"),
  CUTOVER_ORDER_TIMEOUT: entry(1, "raise the work order's timeout or make it faster"),
  CUTOVER_ORDER_CANCELLED: entry(1, "submit it again if it is still wanted"),
  CUTOVER_ORDER_MEMORY: entry(1, "declare more with `needs: { memory }`, or let the work take less"),
  CUTOVER_SANDBOX_UNAVAILABLE: entry(6, "start what the sandbox runs on, or correct the way to reach it"),
  CUTOVER_ORDER_POISON: entry(1, "it ended its worker three times; look at it before it is submitted again"),

  CUTOVER_DATA_MISSING: entry(2, "give the folder that holds the old system's data"),
  CUTOVER_DATA_UNMAPPED: entry(2, "add the named value to the mapping, or refuse it there by name"),
  CUTOVER_DATA_DIFFERS: entry(4, "see the differences in the report, repair, verify again"),
  CUTOVER_DATA_ADDRESS: entry(
    2,
    "write it as `leveldb:PATH`, `lmdb:PATH`, `sqlite:FILE`, `files:DIR`, `postgres://…` or `door:PATH#NAME`",
  ),
  CUTOVER_DATA_LOCKED: entry(
    6,
    "end the process that has the store open, or let that process open the door to its data",
  ),
  CUTOVER_DATA_DENIED: entry(6, "give this user the right to read and write there, then do the same again"),
  CUTOVER_DATA_FORMAT: entry(
    2,
    "name a store of the kind in the address; one a newer Cutover has worked on needs that version",
  ),
  CUTOVER_DATA_FULL: entry(6, "make room on the disk or raise the limit of the store, then resume"),
  CUTOVER_DATA_REFUSED: entry(4, "correct the named row at its source, or map it to one the target takes"),
  CUTOVER_DATA_COLLECTION: entry(2, "name a collection that the store has"),
  CUTOVER_DATA_FENCED: entry(7, "write to the side that is in charge now, or wait until the fence is lifted"),
  CUTOVER_DATA_OPTIONS: entry(2, "correct the named option or what the map function returns"),
  CUTOVER_DATA_NOT_EMPTY: entry(2, "name an empty target, or remove what is there yourself"),
  CUTOVER_DATA_JOB_CHANGED: entry(
    3,
    "go on with the ranges the job began with, or forget the job and begin anew on an empty target",
  ),
  CUTOVER_DATA_SLOT_LOST: entry(4, "begin again: release the slot, then capture and copy anew"),
  CUTOVER_DATA_SCHEMA_CHANGED: entry(
    4,
    "give both sides the same tables again, then run anew (without a migration: release the slot, capture and copy); leave tables as they are while they move",
  ),
  CUTOVER_DATA_UNAVAILABLE: entry(
    6,
    "start the server, or correct host and port of the address; then resume: what was acknowledged is there",
  ),
  CUTOVER_DATA_CLOSED: entry(2, "open the store again"),
  CUTOVER_DATA_IO: entry(6, "mend what the message names, then resume"),
  CUTOVER_DATA_NO_CAPTURE: entry(2, "write through the connector's writer, or move while nobody writes"),
  CUTOVER_DATA_ORDER: entry(4, "read the store with a connector that gives keys in the order of their bytes"),
  CUTOVER_DATA_PAUSED: entry(
    7,
    "do the same again later; see whether the migration still runs, and how long its cutover is to take",
  ),
  CUTOVER_DATA_NOT_FOLLOWED: entry(
    2,
    "put a backfill of the same stores, collections and map with `follow: true` in an earlier phase",
  ),
  CUTOVER_DATA_PREFLIGHT: entry(4, "correct what the message names, then begin again; nothing was stopped"),
  CUTOVER_DATA_PAUSE_TOO_LONG: entry(
    4,
    "begin again when less is written, make the slow part faster, or raise the limit",
  ),
  CUTOVER_DATA_NO_WAY_BACK: entry(
    5,
    "bring back what the message names, then resume; or decide without it: cutover data switch DIR --turn old, then resume",
  ),
  CUTOVER_DATA_LAG: entry(4, "see what holds the old side up, then begin again, or raise the limit"),
  CUTOVER_DATA_EPOCH: entry(7, "look at which side is in charge; what was decided first holds"),
  CUTOVER_DATA_CHANGED: entry(
    7,
    "look at who changed it; bring back what the message expects, or settle the step, then go on",
  ),
  CUTOVER_DATA_BACKUP: entry(4, "use another backup; keep this one to see what happened to it"),

  CUTOVER_PORT_IN_USE: entry(6, "stop the process on that port or choose another one with --port"),
  CUTOVER_LISTEN_FAILED: entry(
    6,
    "name an address of this machine with --host, and a port this user may open",
  ),
  CUTOVER_TOKEN_REQUIRED: entry(
    2,
    "give a token: `cutover serve --token-file FILE` or CUTOVER_TOKEN there, `token` in createRollout",
  ),
  CUTOVER_REQUEST_INVALID: entry(2, "correct the named member of the request"),
  CUTOVER_REQUEST_UNKNOWN: entry(2, "use one of the calls listed in ARCHITECTURE.md"),
  CUTOVER_REQUEST_TOO_LARGE: entry(2, "send it in smaller pieces"),
  CUTOVER_CLI_UNKNOWN_COMMAND: entry(2, "see `cutover help`"),
  CUTOVER_CLI_USAGE: entry(2, "see `cutover help COMMAND`"),
  CUTOVER_PROCESS_EXITED: entry(
    1,
    "let the code that calls process.exit return or throw instead; what is recorded stays, `cutover status` says how to go on",
  ),
  CUTOVER_STRAY_ERROR: entry(
    1,
    "await or catch the error in the code that threw it; what is recorded stays, `cutover status` says how to go on",
  ),
  CUTOVER_OUTPUT_LOST: entry(1, "free space where the output goes, or send it elsewhere, and ask again"),
  CUTOVER_FILE_EXISTS: entry(2, "choose another folder or remove the file yourself"),
  CUTOVER_NODE_TOO_OLD: entry(6, "install Node.js 22.18 or newer and run it again"),
  CUTOVER_OWNER_UNREACHABLE: entry(6, "look at the process that owns the store, or at its server"),
};
