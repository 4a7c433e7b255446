#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Functions for the commands of cases; sourced before each script.
# shellcheck disable=SC2317 # the functions are called by the sourcing script

# table DISK LINE...: write a GPT with these partitions, each in the syntax of sfdisk
table() {
    _disk=$1
    shift
    printf '%s\n' 'label: gpt' "$@" | sfdisk --quiet --wipe always "$_disk"
    udevadm settle
}

# store DEVICE FILE TEXT: write a file to the filesystem on a device
store() {
    mount "$1" /mnt
    printf '%s' "$3" >"/mnt/$2"
    umount /mnt
    udevadm settle
}

# format FORMAT DEVICE [OPTION...]: create a filesystem
format() {
    _format=$1 _device=$2
    shift 2
    case $_format in
        ext4) mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$@" "$_device" ;;
        btrfs) mkfs.btrfs -q -f "$@" "$_device" ;;
        xfs) mkfs.xfs -q -f "$@" "$_device" ;;
        vfat) mkfs.fat "$@" "$_device" >/dev/null ;;
        swap) mkswap -q -f "$@" "$_device" ;;
    esac
    udevadm settle
}

# volume DEVICE KEY [OPTION...]: create a LUKS 2 volume with a fast key derivation
volume() {
    _device=$1 _key=$2
    shift 2
    printf '%s' "$_key" | cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
        --pbkdf-force-iterations 1000 --key-file - "$@" "$_device"
    udevadm settle
}

# array NAME LEVEL DEVICE...: create and start a RAID array
array() {
    _name=$1 _level=$2
    shift 2
    mdadm --create "/dev/md/$_name" --quiet --run --force --homehost any --level "$_level" \
        --raid-devices $# "$@"
    udevadm settle
}

# synced NAME: wait until the resync of an array has ended
synced() {
    _sync=/sys/class/block/$(basename "$(readlink --canonicalize "/dev/md/$1")")/md
    while [ "$(cat "$_sync/sync_action")" != idle ]; do sleep 0.2; done
    quiet
}

# quiet: wait until idle arrays have marked their superblocks clean
quiet() {
    sleep 0.7
}

# reread DISK: let the kernel read a partition table again
reread() {
    udevadm settle
    until blockdev --rereadpt "$1"; do sleep 0.2; done
    udevadm settle
}

# bytes DEVICE OFFSET TEXT: write a text at an offset (in bytes)
bytes() {
    printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc,fsync status=none
}

# same FOUND EXPECTED: fail and print both texts if they differ
same() {
    [ "$1" = "$2" ] || {
        echo "found \"$1\", expected \"$2\""
        return 1
    }
}
