import type { ErrorCode } from "../core/index.ts";

/** What leads to each error, in one or two sentences; `cutover help CODE` and `docs/errors.md` say it. */
export const errorCauses: Readonly<Record<ErrorCode, string>> = {
  CUTOVER_INTERNAL: "Something was thrown that Cutover did not expect.",
  CUTOVER_DURATION_INVALID: "A duration could not be read. It is never taken as 0.",
  CUTOVER_FLAG_INVALID: "A flag held something that is neither clearly on nor clearly off.",
  CUTOVER_SHARE_INVALID: "A share was no percentage, or lay outside 0 to 100.",
  CUTOVER_PLAN_INVALID: "A part of the definition has the wrong type or a value that cannot be used.",
  CUTOVER_PLAN_CYCLE: "Steps, phases or units wait for each other in a circle; the message shows its path.",
  CUTOVER_PLAN_UNKNOWN_UNIT: "A phase, step or wave names a unit that the migration does not have.",
  CUTOVER_PLAN_UNKNOWN_STEP: "An `after` names a step that its phase does not have.",
  CUTOVER_PLAN_UNKNOWN_PHASE:
    "An `after`, a trigger or `--from` names a phase that the migration does not have.",
  CUTOVER_PLAN_DUPLICATE: "Two parts of a definition have the same name.",
  CUTOVER_PLAN_UNREACHABLE: "A phase or step waits for something that can never come before it.",
  CUTOVER_PLAN_FORWARD_ONLY:
    "A phase without a way back has no approval, or a step that cannot be undone stands outside such a phase.",
  CUTOVER_PLAN_NO_WAY_BACK:
    "A step changes something, has no rollback, and its phase is not marked `forwardOnly`.",
  CUTOVER_PLAN_CHANGED:
    "The definition is not the one the run began with. What was proven may no longer hold.",
  CUTOVER_PLAN_NOT_FOUND: "There is no such file, no default one, or its default export is no migration.",
  CUTOVER_PLAN_LOAD:
    "The definition's file could not be run: a syntax error, a missing import, or an error thrown while it loaded.",
  CUTOVER_DOCUMENT_UNREADABLE:
    "The document cannot be opened: there is no such file, it is a folder, or it may not be read.",
  CUTOVER_DOCUMENT_FORMAT: "The document is in a format that is not read, or is no text at all.",
  CUTOVER_DOCUMENT_ENCODING: "The document holds bytes that are not UTF-8.",
  CUTOVER_DOCUMENT_TOO_LARGE: "The document is larger than a plan can be.",
  CUTOVER_DOCUMENT_NESTED: "Lists or quotes stand inside each other more deeply than the reader goes.",
  CUTOVER_DOCUMENT_EMPTY: "The document holds nothing but blank lines.",
  CUTOVER_DOCUMENT_DRIFT:
    "The written plan was changed after it was imported, so its lines are not those the record speaks of.",
  CUTOVER_CLAIM_UNKNOWN: "The definition holds no claim without proof of these words.",
  CUTOVER_CLAIM_AMBIGUOUS: "More than one claim of the definition has these words.",
  CUTOVER_BIND_INVALID: "The evidence cannot take the place of the claim, or cannot be read.",
  CUTOVER_GATE_INPUT: "A test was given counts or probabilities that cannot be.",
  CUTOVER_SIMULATION_INPUT:
    "Declared traffic or a fault could not be read, would change nothing, or the migration moves no route.",
  CUTOVER_METRIC_UNREADABLE:
    "A metric's source gave no figure: it did not answer in time, refused, or its answer holds no one number.",
  CUTOVER_STORE_CORRUPT: "The store's file is damaged or is no store. It was left as it is.",
  CUTOVER_STORE_NEWER: "A newer Cutover changed the store in a way that this one cannot read.",
  CUTOVER_STORE_FULL: "The disk is full. What was not acknowledged was not written.",
  CUTOVER_STORE_UNAVAILABLE:
    "The store's folder or file cannot be made, opened or written, or its server does not answer.",
  CUTOVER_DRIVER_MISSING:
    "A store or sandbox needs a package that is an optional part of Cutover and is not installed.",
  CUTOVER_STORE_CLOSED: "A store was used after it was closed. Nothing was written.",
  CUTOVER_STORE_GONE:
    "An SQLite store's file, or the log beside it, was removed or replaced while it was open. Nothing is acknowledged from then on; a write that is refused with this may stand in the old file.",
  CUTOVER_STORE_OWNED: "Another process owns the store; only one may write.",
  CUTOVER_STORE_CONFLICT: "The record changed between reading and writing.",
  CUTOVER_AUDIT_BROKEN:
    "An event's hash does not fit: it, or one before it, was changed, removed or put in. Or a row is not what the events make of it.",
  CUTOVER_RUN_NOT_FOUND: "The store has no such run or incident, or more than one could be meant.",
  CUTOVER_RUN_STATE: "The run does not allow this in the state it is in.",
  CUTOVER_TRIGGER_UNKNOWN: "The run's migration declares no trigger of this name for people to fire.",
  CUTOVER_RUN_ACTIVE: "The migration has a run that has not ended; a second one beside it is refused.",
  CUTOVER_LEASE_LOST: "This process no longer carries the run, so its write was refused.",
  CUTOVER_STEP_UNPROVEN:
    "The definition claims something and does not say how it is shown; the run holds there.",
  CUTOVER_STEP_REVIEW: "A command is to be read by a person before it runs for the first time.",
  CUTOVER_STEP_FAILED: "A step threw an error and its retries are used up.",
  CUTOVER_STEP_TIMEOUT: "A step took longer than its timeout.",
  CUTOVER_STEP_UNKNOWN: "After a crash it could not be found out whether a step had taken effect.",
  CUTOVER_CHECK_FAILED: "A check of a phase's entry checklist did not pass.",
  CUTOVER_ROLLBACK_STUCK: "A step could not be taken back, or the old side did not verify afterwards.",
  CUTOVER_ROLLBACK_WAITS:
    "The definition cannot be loaded, so steps cannot be undone; traffic went back as far as the record alone allows.",
  CUTOVER_WAY_BACK_UNPROVEN: "A proof of the way back failed, so the phase did not begin.",
  CUTOVER_APPROVAL_INVALID:
    "The approval is of older evidence, by somebody not asked, or by the same person twice.",
  CUTOVER_INTERRUPTED:
    "The run, or a command that does one thing to many rows or orders, was stopped by a signal, cleanly, and can go on.",
  CUTOVER_ROUTE_UNKNOWN: "No application and no run has declared a route of this name.",
  CUTOVER_ROUTE_EPOCH: "Somebody else changed the route since it was read.",
  CUTOVER_ROUTE_DUPLICATE: "One process declared the same route twice.",
  CUTOVER_ROUTE_FAULT: "The new side failed, hung or answered late while the old side answered the caller.",
  CUTOVER_ROUTE_INVALID: "A route was declared wrongly, or put into a stage that its call site cannot do.",
  CUTOVER_JOURNAL_UNAVAILABLE:
    "The journal of second writes cannot be opened, read or written; callers are answered all the same.",
  CUTOVER_JOURNAL_DAMAGED: "Lines of a journal of second writes were changed or cut after they were written.",
  CUTOVER_WRITE_ASIDE: "The other side refused a second write again and again, or it cannot be repeated.",
  CUTOVER_WRITE_LOST:
    "More second writes were missing than a door can hold; the newest one was only counted.",
  CUTOVER_EFFECT_ASTRAY:
    "The new side of a route with captured effects wanted to act outside of a call of that route; the effect was not made.",
  CUTOVER_EFFECT_UNANSWERED:
    "A shadowed new side asked for an effect that the old side did not make, so nobody knows what it answers.",
  CUTOVER_ROLLOUT_INVALID: "An application opened its rollout with options that cannot be used.",
  CUTOVER_STAGES_INVALID: "A file of stages cannot be read, or holds something else than stages.",
  CUTOVER_STORE_OTHER:
    "The server that a door follows has another store than before, or an older copy of it. The door keeps its stages.",
  CUTOVER_QUEUE_ILLEGAL_TRANSITION: "An event was sent to a work order whose state does not allow it.",
  CUTOVER_QUEUE_FULL: "The queue holds as many unfinished work orders as it may.",
  CUTOVER_QUEUE_TOO_LARGE: "A work order asks for more than the whole machine has.",
  CUTOVER_QUEUE_UNKNOWN_ORDER: "There is no work order with this id, or no longer.",
  CUTOVER_QUEUE_UNKNOWN_KIND: "Nobody registered a handler for this kind of work order.",
  CUTOVER_QUEUE_CYCLE: "Work orders of one call wait for each other in a ring.",
  CUTOVER_QUEUE_UNKNOWN_TAG: "A tag is not one of those the queue knows, so no worker would ever offer it.",
  CUTOVER_QUEUE_INVALID:
    "A field of a work order, or an option of a queue, a worker or a sandbox, has a value that cannot be used.",
  CUTOVER_QUEUE_CLOSED: "The queue was closed before this call.",
  CUTOVER_ORDER_FAILED: "The work itself failed, and its retries are used up.",
  CUTOVER_ORDER_TIMEOUT: "The work took longer than its timeout.",
  CUTOVER_ORDER_CANCELLED: "Somebody cancelled the work order.",
  CUTOVER_ORDER_MEMORY: "The work took more memory than the order declared, and was ended.",
  CUTOVER_SANDBOX_UNAVAILABLE:
    "What the sandbox runs on, such as the Docker engine, gave no usable answer; or the processes of the machine could not be looked at, or not be ended.",
  CUTOVER_ORDER_POISON: "The work order ended its worker's process three times.",
  CUTOVER_DATA_MISSING: "The old system's data folder is not there.",
  CUTOVER_DATA_UNMAPPED: "The old data holds a value that the mapping does not name.",
  CUTOVER_DATA_DIFFERS: "Old and new data are not equal.",
  CUTOVER_DATA_ADDRESS: "The text names no kind of store that is known, or leaves out where it is.",
  CUTOVER_DATA_LOCKED: "Another process has the store open, and only one may.",
  CUTOVER_DATA_DENIED: "The operating system or the database refuses this user.",
  CUTOVER_DATA_FORMAT:
    "What lies there is not a store of that kind, is damaged, or was made by a newer version.",
  CUTOVER_DATA_FULL:
    "The disk or the space the store may take is used up; nothing of the transaction was kept.",
  CUTOVER_DATA_REFUSED: "The store does not take a row: its key or value does not fit.",
  CUTOVER_DATA_COLLECTION: "The store has no collection of that name, or one that cannot be moved.",
  CUTOVER_DATA_FENCED: "The store refuses writes of this epoch: a cutover has begun or is over.",
  CUTOVER_DATA_PAUSED: "Writes wait for a cutover, longer or more of them than the application allows.",
  CUTOVER_DATA_NOT_FOLLOWED: "Rows are to cross whose copy was not made, or whose log is not followed.",
  CUTOVER_DATA_PREFLIGHT: "Something that has to hold before writers are stopped does not.",
  CUTOVER_DATA_PAUSE_TOO_LONG: "Writers would be, or were, stopped for longer than the limit.",
  CUTOVER_DATA_NO_WAY_BACK: "What was written on the new side cannot be brought to the old one now.",
  CUTOVER_DATA_LAG: "The old side is further behind the new one than it may be.",
  CUTOVER_DATA_EPOCH:
    "Somebody else decided this epoch, or a later one, otherwise: a switch takes each once.",
  CUTOVER_DATA_OPTIONS:
    "An option of a move is unknown or does not fit, or its map function returns something else than rows.",
  CUTOVER_DATA_NOT_EMPTY:
    "The place that data is to go to holds rows already, and nobody said that they may be mixed.",
  CUTOVER_DATA_JOB_CHANGED: "A move that was begun is to go on with other ranges.",
  CUTOVER_DATA_SLOT_LOST: "Changes that a move still needed are no longer kept, or were never captured.",
  CUTOVER_DATA_SCHEMA_CHANGED:
    "A table was emptied by TRUNCATE, made, or changed in its columns while its rows are captured or moved.",
  CUTOVER_DATA_UNAVAILABLE:
    "The database server or the application that serves the data does not answer, or ended the connection.",
  CUTOVER_DATA_CLOSED: "The store was closed before this call.",
  CUTOVER_DATA_IO: "The store could not read or write, for a reason of its own.",
  CUTOVER_DATA_NO_CAPTURE:
    "The store keeps no log of its changes, so it cannot be moved while it is written to.",
  CUTOVER_DATA_ORDER: "A store gave its rows in another order than that of their keys, or one twice.",
  CUTOVER_DATA_CHANGED:
    "What a step was to write over is neither what it found nor what it wrote: somebody else did.",
  CUTOVER_DATA_BACKUP:
    "A backup is incomplete, was changed, or holds other bytes than those that were written; the message names where.",
  CUTOVER_PORT_IN_USE: "Another process listens on that port.",
  CUTOVER_LISTEN_FAILED: "The machine does not let this process listen on that address.",
  CUTOVER_TOKEN_REQUIRED:
    "A server was asked for something, or is to listen beyond this machine, and no token or another one was given.",
  CUTOVER_REQUEST_INVALID:
    "A request to the owner has a member of the wrong type, a missing or an unknown one.",
  CUTOVER_REQUEST_UNKNOWN: "The owner has no such call.",
  CUTOVER_REQUEST_TOO_LARGE: "A request's body is larger than the owner takes.",
  CUTOVER_CLI_UNKNOWN_COMMAND: "There is no such command.",
  CUTOVER_CLI_USAGE: "An option or a word of the command line could not be understood.",
  CUTOVER_PROCESS_EXITED:
    "A step, a definition or something that one of them imports has called process.exit and so ended the command in the middle.",
  CUTOVER_STRAY_ERROR:
    "Code of a step, a definition or something that one of them imports threw an error that nobody waited for, and the process could not go on.",
  CUTOVER_OUTPUT_LOST: "The answer could not be written to where it was sent, for instance to a full disk.",
  CUTOVER_FILE_EXISTS: "A file that would be written is there already; it was not touched.",
  CUTOVER_NODE_TOO_OLD: "This Node.js has no SQLite or cannot strip types.",
  CUTOVER_OWNER_UNREACHABLE:
    "The process that owns the store, or the server that answers for it, gives no usable answer.",
};
