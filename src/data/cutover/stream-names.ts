/**
 * The two streams between an old and a new side, and whoever tries a row, by the names under which what they write appears in
 * logs. Each stream leaves out what the other one and the tries wrote, in whichever order they begin and end: so nothing goes
 * in a ring, after any number of crossings there and back.
 */
export interface StreamNames {
  readonly new: StreamName;
  readonly old: StreamName;
  /** Origin of rows that are written as they are, to see that they can be. */
  readonly tries: string;
}

/** The stream that leads to a side. Its job's name is also its origin. */
export interface StreamName {
  readonly job: string;
  readonly slot: string;
  readonly without: readonly string[];
}

/** From the name of the job that leads from old to new. */
export function streamNames(job: string, slot: string = job): StreamNames {
  const back = `${job}:back`;
  const tries = `${job}:try`;
  return {
    new: { job, slot, without: [back, tries] },
    old: { job: back, slot: `${slot}:back`, without: [job, tries] },
    tries,
  };
}
