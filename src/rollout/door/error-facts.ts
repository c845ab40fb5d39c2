/** Causes and gathered errors are followed so far: they may be cyclic. */
const deepestCause = 8;
/** Errors of an `AggregateError` that are looked at. */
const mostGathered = 50;

/**
 * What of an error is compared, shown and handed between threads: name, code, message, and the same of its cause and
 * of the errors it gathers. Callers decide by these; a stack tells only where the code lies. What is no error is
 * compared as it is.
 */
export function errorFacts(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, cause } = error;
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  return {
    name,
    ...(code === undefined ? {} : { code }),
    message,
    ...(cause === undefined || depth >= deepestCause ? {} : { cause: errorFacts(cause, depth + 1) }),
    ...(Array.isArray(errors) && depth < deepestCause
      ? { errors: errors.slice(0, mostGathered).map((one: unknown) => errorFacts(one, depth + 1)) }
      : {}),
  };
}
