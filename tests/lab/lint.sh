#!/bin/sh
# Every linter over everything; all of them speak before the first complaint ends it.
set -u
cd "$(dirname "$0")/../.." || exit
bin=.venv/bin
status=0

check() {
    "$@" || { status=1; echo "lint: \`$*\` complains" >&2; }
}

shell_scripts() {
    find .ci dracut examples tests -type f -not -name '*.py' \
        -exec awk '/^#!.*[\/ ](ba|da)?sh( |$)/ { print FILENAME } { nextfile }' {} +
}

check $bin/ruff check --quiet .
check $bin/ruff format --quiet --check .
check $bin/mypy
check $bin/lint-imports --no-logo
# SC1091: what a script sources in the guest is not here.
# shellcheck disable=SC2046 # no script has a name with spaces
check shellcheck --exclude=SC1091 $(shell_scripts)
exit $status
