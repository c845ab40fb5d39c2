export { CapturedStore } from "./capture-store.ts";
export {
  type BatchOperation,
  CaptureWriter,
  captureWriter,
  CollectedBatch,
  type KeyRange,
  type WriterOptions,
} from "./capture-writer.ts";
export { type MemoryContents, type MemoryStoreOptions, openMemoryStore } from "./connectors/memory.ts";
export type {
  Change,
  Chunk,
  ChunkLimit,
  Collection,
  Column,
  DataStore,
  Digest,
  Leaf,
  LogBatch,
  Position,
  Range,
  Reader,
  Row,
  Source,
  Target,
  TargetWrite,
  Transaction,
} from "./connector.ts";
export { decodeKey, encodeKey, type KeyValue } from "./key-codec.ts";
export { decodeRecord, encodeRecord, type RecordValue, TextBytes } from "./record-codec.ts";
export { covers, type Fence, type SequenceFence, type SnapshotFence } from "./fence.ts";
export {
  type Aside,
  type DataMap,
  type Image,
  type MapFunction,
  type MapOptions,
  mapValues,
  noImage,
  type Place,
  type SourceRow,
} from "./map.ts";
