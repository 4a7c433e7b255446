#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run all linters on the whole project, in parallel; print the output of each that fails.
set -u
cd "$(dirname "$0")/../.." || exit
bin=.venv/bin
output=$(mktemp -d)
trap 'rm -rf -- "$output"' EXIT
status=0

shell_scripts() {
    find .ci dracut examples tests -type f -not -name '*.py' \
        -exec awk '/^#!.*[\/ ](ba|da)?sh( |$)/ { print FILENAME } { nextfile }' {} +
}

check() { # NAME COMMAND...
    name=$1
    shift
    # A linter that fails leaves its command line behind.
    { "$@" || echo "$*" > "$output/$name.failed"; } > "$output/$name" 2>&1 &
}

check mypy $bin/mypy
check ruff $bin/ruff check --quiet .
check format $bin/ruff format --quiet --check .
check imports $bin/lint-imports --no-logo
# SC1091: files that a script sources in the guest are not present here.
# shellcheck disable=SC2046 # no script has a name with spaces
check shellcheck shellcheck --exclude=SC1091 $(shell_scripts)
wait
for failed in "$output"/*.failed; do
    [ -e "$failed" ] || continue
    cat "${failed%.failed}" >&2
    echo "lint: failed: $(cat "$failed")" >&2
    status=1
done
exit $status
