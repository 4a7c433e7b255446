#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Remove the stamp by which the boot loader detects a first boot (05_ignition.cfg).
#
# On an error the stamp stays, the unit fails, and the next boot provisions again.
set -eu

root=${IGNITION_STAMP_ROOT:-}

for directory in "$root/boot" "$root/"; do
    stamp=${directory%/}/ignition.firstboot
    [ -e "$stamp" ] || continue
    # On a read-only filesystem -w is false, even for root.
    if ! [ -w "$directory" ]; then
        mount -o remount,rw "$(findmnt --noheadings --output TARGET --target "$directory")"
    fi
    rm -- "$stamp"
    # The machine may lose power at any time.
    sync --file-system "$directory"
done
