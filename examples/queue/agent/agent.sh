#!/bin/sh
# Executes one work order: the real work of both queues. Called with the scratch folder as working folder:
#   agent.sh WORK AGENT ID ATTEMPT KEY SIDE PROMPT
# Writes one line when it begins and one when it ends to WORK/ledger.ndjson. Each line is one write(2) to a file
# opened with O_APPEND, so lines of many processes never mix. Exit codes: 0 done, 75 try again, other: failed.
set -u
work=$1 agent=$2 id=$3 attempt=$4 key=$5 side=$6 prompt=$7
ledger=$work/ledger.ndjson

line() {
  printf '{"event":"%s","id":"%s","attempt":%s,"key":"%s","side":"%s","exit":%s}\n' \
    "$1" "$id" "$attempt" "$key" "$side" "$2" >>"$ledger"
}

# Begun before: a crash may have come after the effect and before the queue wrote it down. The effect is not
# repeated. (The marker spares a search of the whole ledger for each new order.)
if [ -e "$work/begun/$id" ] && grep -q "^{\"event\":\"end\",\"id\":\"$id\",.*\"exit\":0}" "$ledger"; then
  exit 0
fi
: >"$work/begun/$id"
line begin null

code=0
case $agent in
  reviewer) # hash
    printf '%s' "$prompt" | sha256sum >sum.txt || code=$? ;;
  archiver) # compress
    gzip -c "$work/sample.txt" >sample.txt.gz || code=$? ;;
  tester) # the tests are red
    printf '%s\n' "$prompt" >report.txt
    code=1 ;;
  fixer) # needs a second attempt
    if [ "$attempt" -lt 2 ]; then code=75; else printf '%s\n' "$prompt" >fix.txt; fi ;;
  crawler) # never comes back by itself
    sleep 60 || code=$? ;;
  *) # coder, planner, integrator: a small program that mostly waits, as agents do
    printf '%s\n' "$prompt" >task.txt
    sleep 0.02 ;;
esac

# An orphan (its queue was killed) must not write: the restarted queue runs the order again.
kill -0 "$PPID" 2>/dev/null || exit 70
line end "$code"
exit "$code"
