#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Placeholder for images without a kernel argument helper. The distribution chooses a helper when it
# builds the image: IGNITION_KARGS_HELPER=grub, systemd-boot, auto or the path of its own program.
echo "cannot change kernel arguments (kernelArguments): this image has no helper for that," \
    "because it was built without IGNITION_KARGS_HELPER" >&2
exit 1
