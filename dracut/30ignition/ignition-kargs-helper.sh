#!/bin/sh
# Changing kernel arguments is the boot loader's business, and so the distribution's: it says
# IGNITION_KARGS_HELPER=grub or =systemd-boot when building the image, or names its own program.
echo "The config asks for kernel arguments (kernelArguments), but this image has no program" \
    "that can change them: it was built without IGNITION_KARGS_HELPER." >&2
exit 1
