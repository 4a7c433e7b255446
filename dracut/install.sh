#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Install all files of a distribution package below DESTDIR.
#
#   DESTDIR=/tmp/package dracut/install.sh
#
# Environment:
#   DESTDIR      root directory of the package (default: this system)
#   PYTHON       interpreter that will run the programs (default: /usr/bin/python3)
#   PYTHON_SITE  module directory (default: that of PYTHON)
#   UNIT_DIR, DRACUT_DIR, LIBEXEC_DIR
#
# The script needs no privileges: the caller owns all files, as packaging tools expect.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
checkout=$(dirname "$here")
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-/usr/bin/python3}
UNIT_DIR=${UNIT_DIR:-/usr/lib/systemd/system}
DRACUT_DIR=${DRACUT_DIR:-/usr/lib/dracut/modules.d}
LIBEXEC_DIR=${LIBEXEC_DIR:-/usr/libexec}
# Debian and Fedora have an installation scheme for packages, other distributions one for all.
PYTHON_SITE=${PYTHON_SITE:-$("$PYTHON" -I -c '
import sysconfig
known = sysconfig.get_scheme_names()
scheme = next(name for name in ("deb_system", "rpm_prefix", "posix_prefix") if name in known)
print(sysconfig.get_path("purelib", scheme))
')}

file() { install -D --mode=0644 "$1" "$DESTDIR$2"; }
program() { install -D --mode=0755 "$1" "$DESTDIR$2"; }

# The Python package. schemas and providers are symlinks in the checkout and directories here.
cd "$checkout"
find -L ignition -type f -not -name '*.pyc' -print0 \
    | while IFS= read -r -d '' source; do
        file "$source" "$PYTHON_SITE/$source"
    done

# Programs.
for name in ignition ignition-validate; do
    program dracut/host/ignition "/usr/bin/$name"
done

# Symlinks to the same program, which acts by the name under which it was called.
mkdir -p "$DESTDIR$LIBEXEC_DIR"
for name in ignition-apply ignition-rmcfg; do
    ln -sfnr "$DESTDIR/usr/bin/ignition" "$DESTDIR$LIBEXEC_DIR/$name"
done

# The dracut module.
for source in dracut/30ignition/*; do
    target=$DRACUT_DIR/30ignition/${source##*/}
    if [[ -x $source ]]; then program "$source" "$target"; else file "$source" "$target"; fi
done

# The unit for the booted system. The symlink enables it regardless of presets: if the stamp
# stayed, every boot would provision the machine again.
file dracut/host/ignition-firstboot-complete.service "$UNIT_DIR/ignition-firstboot-complete.service"
program dracut/host/ignition-firstboot-complete.sh "$LIBEXEC_DIR/ignition-firstboot-complete"
mkdir -p "$DESTDIR$UNIT_DIR/multi-user.target.wants"
ln -sfn ../ignition-firstboot-complete.service \
    "$DESTDIR$UNIT_DIR/multi-user.target.wants/ignition-firstboot-complete.service"

# GRUB configuration, for grub-mkconfig and for images whose grub.cfg is made by bootupd.
file dracut/host/05_ignition.cfg /usr/share/ignition/05_ignition.cfg
file dracut/host/05_ignition.cfg /usr/lib/bootupd/grub2-static/configs.d/05_ignition.cfg
program dracut/host/grub.d-05_ignition.sh /etc/grub.d/05_ignition
file dracut/host/grub-default.cfg /etc/default/grub.d/ignition.cfg
