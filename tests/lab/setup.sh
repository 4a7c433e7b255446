#!/bin/sh
# Make a Debian 12 machine ready: `setup.sh demo` for the demo, `setup.sh test` for everything.
#
# It is plain sh because it runs before anything else is known to be there. When nothing is
# missing it asks the package database once and is done: no download, no root needed.
set -eu

cd "$(dirname "$0")/../.."

# What builds and boots a guest, and the programs that dracut copies into its initramfs.
demo="
    binutils ca-certificates cpio dbus dracut-core dracut-network e2fsprogs fakeroot fdisk kmod
    login mmdebstrap netcat-openbsd passwd python3 python3-venv qemu-system-x86 systemd systemd-sysv
    udev uidmap util-linux xfsprogs zstd
"
# What the tests need besides. `ignition` is the reference engine, to compare with.
test="
    btrfs-progs clevis clevis-luks clevis-tpm2 cryptsetup-bin dmsetup dosfstools gdisk
    grub-efi-amd64-bin ignition jose mdadm mtools openssl ovmf parted policycoreutils shellcheck swtpm
    systemd-boot-efi tang-common tpm2-tools
"

packages() {
    case $1 in
        demo) echo "$demo" ;;
        test) echo "$demo $test" ;;
        *) echo "usage: $0 demo|test" >&2; exit 2 ;;
    esac
}

missing() {
    for package in $(packages "$1"); do
        state=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) || state=
        [ "$state" = "ii " ] || printf ' %s' "$package"
    done
}

install_packages() {
    wanted=$(missing "$1")
    [ -n "$wanted" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "Some Debian packages are missing. As root, run:" >&2
        echo "apt-get update && apt-get install --yes --no-install-recommends$wanted" >&2
        exit 1
    fi
    echo "installing Debian packages:$wanted"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    # shellcheck disable=SC2086 # a list of words
    apt-get install --quiet=2 --yes --no-install-recommends $wanted >/dev/null
}

make_venv() {
    made_from=$(sha256sum pyproject.toml)
    stamp=.venv/made-from
    [ "$(cat $stamp 2>/dev/null)" != "$made_from" ] || return 0
    echo "making .venv with $(/usr/bin/python3 --version)"
    /usr/bin/python3 -m venv .venv
    .venv/bin/python -m pip --quiet --disable-pip-version-check install --editable '.[dev]'
    echo "$made_from" > $stamp
}

if ! command -v apt-get >/dev/null; then
    echo "This needs a Debian 12 machine: its packages are what the lab is made of." >&2
    exit 1
fi
purpose=${1:-}
packages "$purpose" >/dev/null
install_packages "$purpose"
make_venv
