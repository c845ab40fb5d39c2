/** What a case is given. */
export interface Bench {
  /** Room on the disk, gone with the bench. */
  readonly folder: string;
  readonly rows: number;
  readonly rounds: number;
}
