#!/bin/sh
# What the commands of cases may use besides the system's programs; read before each of them.
# shellcheck disable=SC2317 # they are called from elsewhere

# table DISK LINE...: a GPT with these partitions, each as sfdisk takes it
table() {
    _disk=$1
    shift
    printf '%s\n' 'label: gpt' "$@" | sfdisk --quiet --wipe always "$_disk"
    udevadm settle
}

# store DEVICE FILE TEXT: put a file into the filesystem on a device
store() {
    mount "$1" /mnt
    printf '%s' "$3" >"/mnt/$2"
    umount /mnt
    udevadm settle
}

# format FORMAT DEVICE [OPTION...]: make a filesystem, whatever its program is called
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

# volume DEVICE KEY [OPTION...]: an encrypted volume of version 2, with a key derivation that costs nothing
volume() {
    _device=$1 _key=$2
    shift 2
    printf '%s' "$_key" | cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
        --pbkdf-force-iterations 1000 --key-file - "$@" "$_device"
    udevadm settle
}

# array NAME LEVEL DEVICE...: a RAID array that runs
array() {
    _name=$1 _level=$2
    shift 2
    mdadm --create "/dev/md/$_name" --quiet --run --force --homehost any --level "$_level" \
        --raid-devices $# "$@"
    udevadm settle
}

# synced NAME: wait until an array has written all that it has to
synced() {
    _sync=/sys/class/block/$(basename "$(readlink --canonicalize "/dev/md/$1")")/md
    while [ "$(cat "$_sync/sync_action")" != idle ]; do sleep 0.2; done
    quiet
}

# quiet: wait until arrays have written down that nothing is being written to them
quiet() {
    sleep 0.7
}

# reread DISK: the kernel looks at a table that was written behind its back
reread() {
    udevadm settle
    until blockdev --rereadpt "$1"; do sleep 0.2; done
    udevadm settle
}

# bytes DEVICE OFFSET TEXT: write a text at an offset in bytes
bytes() {
    printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc,fsync status=none
}

# same TEXT TEXT: fail and show both if they differ
same() {
    [ "$1" = "$2" ] || {
        echo "it is \"$1\", not \"$2\""
        return 1
    }
}
