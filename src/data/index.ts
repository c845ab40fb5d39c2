export {
  type ByteEngine,
  type ByteView,
  type Put,
  reserved as reservedCollection,
  type WriteBody,
} from "./capture-engine.ts";
export { CapturedStore } from "./capture-store.ts";
export {
  type BatchOperation,
  CaptureWriter,
  captureWriter,
  CollectedBatch,
  type KeyRange,
  type WriterOptions,
} from "./capture-writer.ts";
export type { StrangeFile } from "./connectors/files-folder.ts";
export { FilesStore, type FilesStoreOptions, openFiles } from "./connectors/files.ts";
export type { LevelDb } from "./connectors/leveldb-driver.ts";
export { LevelStore, type LevelStoreOptions, openLevelDb } from "./connectors/leveldb.ts";
export { type LmdbStoreOptions, openLmdb } from "./connectors/lmdb.ts";
export { type MemoryContents, type MemoryStoreOptions, openMemoryStore } from "./connectors/memory.ts";
export { openPostgresData, type PostgresDataOptions } from "./connectors/postgres/open.ts";
export { type PostgresStore } from "./connectors/postgres/store.ts";
export type {
  Change,
  Chunk,
  ChunkLimit,
  Collection,
  Column,
  DataStore,
  Digest,
  Enforced,
  Leaf,
  LogBatch,
  PackedRows,
  Position,
  Range,
  Reader,
  Row,
  Source,
  Target,
  TargetWrite,
  Transaction,
  Turning,
} from "./connector.ts";
export { openSqlite, SqliteStore, type SqliteStoreOptions } from "./connectors/sqlite.ts";
export type { Decision } from "./cutover/decision-file.ts";
export { FileSwitch, fileSwitch, type FileSwitchOptions } from "./cutover/file-switch.ts";
export type { FollowEvent, FollowOptions } from "./cutover/follow-options.ts";
export { type FollowCounts, followSwitch, type InCharge, SwitchFollower } from "./cutover/follow.ts";
export { memorySwitch } from "./cutover/memory-switch.ts";
export { Movable, movable, type MovableOptions } from "./cutover/movable.ts";
export type { CollectionNames, SidesOptions, StoreOrOpen, StoreReading } from "./cutover/opened-sides.ts";
export {
  type StoreAtHand,
  type StoreInCharge,
  StoreSides,
  storeSides,
  type StoreSidesOptions,
} from "./cutover/store-sides.ts";
export { PostgresSwitch, postgresSwitch, type PostgresSwitchOptions } from "./cutover/postgres-switch.ts";
export type { Standing, Switch } from "./cutover/switch.ts";
export { firstStanding, isDecision } from "./cutover/turn-law.ts";
export { connectData, type ConnectDataOptions } from "./door/connect-data.ts";
export { type DataDoor, type DataDoorOptions, serveData } from "./door/serve-data.ts";
export { openDataStore, type OpenDataStoreOptions } from "./open-data-store.ts";
export { decodeKey, encodeKey, type KeyValue } from "./key-codec.ts";
export { decodeRecord, encodeRecord, type RecordValue, TextBytes } from "./record-codec.ts";
export { dataFaultPoints } from "./fault-points.ts";
export { covers, type Fence, type SequenceFence, type SnapshotFence } from "./fence.ts";
export {
  type Aside,
  type DataMap,
  decodeAside,
  decodeOriginal,
  type Image,
  keptIn,
  keptPlace,
  type MapFunction,
  type MapOptions,
  mapValues,
  noImage,
  type Place,
  type SourceRow,
} from "./map.ts";
export { keyText } from "./bytes.ts";
export { addDigests, digestText, emptyDigest, equalDigests } from "./digest/digest.ts";
export { type DigestOptions, digestRange, leavesOf } from "./digest/leaves.ts";
export { newSeed, readSeed, type RowHash, rowHash, seedText } from "./digest/row-hash.ts";
export type { Difference, DifferenceCounts, DifferenceKind } from "./verify/difference.ts";
export type { Unexplained } from "./verify/findings.ts";
export { repairData, type Repaired, type RepairOptions } from "./verify/repair.ts";
export { type Verification, verifyData, type VerifyOptions } from "./verify/verify.ts";
export type { CollectionVerdict } from "./verify/verify-ranges.ts";
export type { HashedRows, RangeSums, SummingReader, SumOptions } from "./range-sums.ts";
export { endMove } from "./move/begin.ts";
export type { MoveCounts } from "./move/checkpoint.ts";
export { requireColumnOrder } from "./move/column-order.ts";
export type { ChunkSizing } from "./move/chunk-size.ts";
export type { HoldLimits, LatencyLimit } from "./move/holding.ts";
export { type Move, moveData, type MoveResult, startMove } from "./move/move-data.ts";
export type { MoveOptions } from "./move/move-options.ts";
export type { MoveEvent, MoveProgress } from "./move/progress.ts";
export { backupData, type Backup, type BackupOptions } from "./backup/backup.ts";
export { type BackupReader, openBackup } from "./backup/backup-reader.ts";
export type { BackupCollection, BackupManifest } from "./backup/format.ts";
export { type BackupProof, keepProof, proofOf } from "./backup/proof.ts";
export { type BackupPreview, type BackupPreviewOptions, previewBackup } from "./backup/backup-preview.ts";
export { checkBackup, type CheckBackupOptions } from "./backup/check-backup.ts";
export { type LookedAt, lookAtTarget, type TargetLook } from "./backup/look-at-target.ts";
export { previewRestore, type RestorePreview, type RestorePreviewOptions } from "./backup/restore-preview.ts";
export { restoreData, type Restored, type RestoreOptions } from "./backup/restore.ts";
export { chooseCollections } from "./verify/collections.ts";
export { type AsideRow, asideRows, originalsOf } from "./verify/kept-rows.ts";
export { Touched } from "./verify/touched.ts";
export { type TouchedVerification, verifyTouched } from "./verify/verify-touched.ts";
export { epochOption } from "./sides/epoch-session.ts";
export {
  type Isolation,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresSides,
  postgresSides,
  type PostgresSidesOptions,
} from "./sides/postgres-sides.ts";
export type { CrossingState } from "./cutover/arrows.ts";
export { crossOver, goBack } from "./cutover/crossing.ts";
export type { Crossing, CrossingEvent, PredictedPause } from "./cutover/crossing-events.ts";
export type {
  BackCheck,
  BackFunction,
  BackMap,
  CrossingLimits,
  CrossingOptions,
  GoBackOptions,
} from "./cutover/crossing-options.ts";
export type {
  CutoverDataOptions,
  CutoverLimits,
  ReverseSyncOptions,
  SwitchRef,
} from "./steps/crossing-input.ts";
export { cutoverData } from "./steps/cutover-data.ts";
export { reverseSync } from "./steps/reverse-sync.ts";
export { backfill, type BackfillOptions } from "./steps/backfill.ts";
export { backup, type BackupStepOptions } from "./steps/backup.ts";
export type { ConfigChange } from "./steps/configure-change.ts";
export type { ConfigPlace, ConfigValue } from "./steps/configure-place.ts";
export type { ConfigureAbout, ConfigureOptions } from "./steps/configure-setting.ts";
export { configure } from "./steps/configure.ts";
export { repair, type RepairStepOptions } from "./steps/repair.ts";
export { restore, type RestoreStepOptions } from "./steps/restore.ts";
export type { DataStepPlacement } from "./steps/step-input.ts";
export type { NamedStore, StoreRef } from "./steps/store-ref.ts";
export type { PairOptions } from "./steps/pair.ts";
export { verify, type VerifyStepOptions } from "./steps/verify.ts";
export type { RowBlock } from "./row-block.ts";
export type { WriteAs, WriteChain } from "./write-as.ts";
