#!/bin/sh
# Removes the stamp that makes the boot loader ask for a first boot (05_ignition.cfg).
#
# Any error leaves the stamp, so the next boot provisions again, and fails this unit.
set -eu

root=${IGNITION_STAMP_ROOT:-}

for directory in "$root/boot" "$root/"; do
    stamp=${directory%/}/ignition.firstboot
    [ -e "$stamp" ] || continue
    # "Writable" is false on a read-only filesystem even for root.
    if ! [ -w "$directory" ]; then
        mount -o remount,rw "$(findmnt --noheadings --output TARGET --target "$directory")"
    fi
    rm -- "$stamp"
    # The machine may lose power before anything else is written.
    sync --file-system "$directory"
done
