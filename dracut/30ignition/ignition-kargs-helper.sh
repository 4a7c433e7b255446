#!/bin/sh
# Changing kernel arguments is the boot loader's business, and so the distribution's:
# it puts its own program in this place (IGNITION_KARGS_HELPER when building the image).
echo "The config asks for kernel arguments (kernelArguments), but this image has no" \
    "program that can change them." >&2
exit 1
