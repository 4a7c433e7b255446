#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install what the demo (`setup.sh demo`) or all targets (`setup.sh test`) need on Debian 12.
#
# The script runs before anything else is installed, so it needs only sh. If nothing is missing, it
# queries the package database and ends: no download, no root privileges.
set -eu

cd "$(dirname "$0")/../.."

# Programs that build and boot a guest, and programs that dracut copies into its initramfs.
demo="
    binutils ca-certificates cpio dbus dracut-core dracut-network e2fsprogs fakeroot fdisk kmod
    login mmdebstrap netcat-openbsd passwd python3 python3-venv qemu-system-x86 systemd systemd-sysv
    udev uidmap util-linux xfsprogs zstd
"
# More packages for the tests. `ignition` is the reference engine.
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
        echo "Debian packages not found; as root, run:" >&2
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
    echo "creating .venv with $(/usr/bin/python3 --version)"
    /usr/bin/python3 -m venv .venv
    .venv/bin/python -m pip --quiet --disable-pip-version-check install --editable '.[dev]'
    echo "$made_from" > $stamp
}

if ! command -v apt-get >/dev/null; then
    echo "cannot install packages: apt-get not found; the tests need Debian 12" >&2
    exit 1
fi
purpose=${1:-}
packages "$purpose" >/dev/null
install_packages "$purpose"
make_venv
