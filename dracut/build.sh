#!/bin/bash
# Build an initramfs with this checkout's (or this package's) dracut module.
#
#   dracut/build.sh OUTPUT KERNEL_VERSION [dracut arguments...]
#
# dracut looks for modules in one directory only. So that nothing has to be
# installed on the building machine, and so that a module of the same name that
# a package brought is not taken by mistake, it gets a directory of its own:
# links to all of the system's modules, except "ignition", which is ours.
#
# Environment:
#   IGNITION_PYTHON  the interpreter that has Ignition and its libraries
#                    (default: the checkout's .venv, else /usr/bin/python3)
#   DRACUT_BASE      where the system's dracut lives (default: /usr/lib/dracut)
#
# Ends with an error, and without an image, whenever the image would not be
# whole: dracut itself leaves out what it does not find and calls it a success.
set -euo pipefail

if (($# < 2)); then
    echo "usage: ${0##*/} OUTPUT KERNEL_VERSION [dracut arguments...]" >&2
    exit 2
fi
output=$1
kernel=$2
shift 2

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
checkout=$(dirname "$here")
system=${DRACUT_BASE:-/usr/lib/dracut}

if [[ -z ${IGNITION_PYTHON:-} ]]; then
    IGNITION_PYTHON=/usr/bin/python3
    [[ ! -x $checkout/.venv/bin/python ]] || IGNITION_PYTHON=$checkout/.venv/bin/python
fi
export IGNITION_PYTHON
if [[ -d $checkout/ignition ]]; then
    export PYTHONPATH=$checkout${PYTHONPATH:+:$PYTHONPATH}
fi

base=$(mktemp -d)
trap 'rm -rf -- "$base"' EXIT
mkdir "$base/modules.d"
for part in "$system"/*; do
    [[ $part == */modules.d || $part == */dracut.conf.d ]] || ln -s "$part" "$base/"
done
for module in "$system"/modules.d/*; do
    [[ $module == */??ignition ]] || ln -s "$module" "$base/modules.d/"
done
ln -s "$here/30ignition" "$base/modules.d/"

# What /etc/dracut.conf.d says is about this machine, not about those that will be booted.
mkdir "$base/dracut.conf.d"

# A failed build must not leave an older image behind that looks like its result.
rm -f -- "$output"
dracutbasedir=$base dracut --conf /dev/null --confdir "$base/dracut.conf.d" \
    --force --no-hostonly --add ignition "$@" "$output" "$kernel"
"$IGNITION_PYTHON" -m ignition initramfs --check "$output"
