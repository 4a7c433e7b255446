#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the linters beside the unit tests; print the linters' output after that of the tests.
#
#   tests/lab/check.sh TEST_COMMAND...
set -u

log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
"$(dirname "$0")/lint.sh" > "$log" 2>&1 &
lint=$!
status=0
"$@" || status=$?
wait "$lint" || status=$?
cat "$log"
exit "$status"
