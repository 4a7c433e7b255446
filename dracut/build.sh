#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Build an initramfs with this checkout's (or this package's) dracut module.
#
#   dracut/build.sh OUTPUT KERNEL_VERSION [dracut arguments...]
#
# dracut looks for modules in one directory. The script makes a temporary directory with symlinks
# to the system's modules and to this "ignition" module, so that nothing has to be installed on
# the build host, and a module "ignition" of another package is not used.
#
# Environment:
#   IGNITION_PYTHON  Python interpreter with Ignition's libraries installed
#                    (default: the checkout's .venv, else /usr/bin/python3)
#   DRACUT_BASE      directory of the system's dracut (default: /usr/lib/dracut)
#
# An incomplete image is an error and no image is left. dracut alone would leave out files that it
# does not find, and exit with status 0.
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

# /etc/dracut.conf.d configures images for the build host, and this image is for other machines.
mkdir "$base/dracut.conf.d"

# After a failed build, an older image must not look like its result.
rm -f -- "$output"
dracutbasedir=$base dracut --conf /dev/null --confdir "$base/dracut.conf.d" \
    --force --no-hostonly --add ignition "$@" "$output" "$kernel"
"$IGNITION_PYTHON" -m ignition initramfs --check "$output"
