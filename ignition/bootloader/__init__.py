# SPDX-License-Identifier: Apache-2.0
"""Change kernel arguments in the files of GRUB and systemd-boot, also in Boot Loader Specification entries.

This is the implementation of our `ignition-kargs-helper`. The engine only runs the helper of the
distribution, which may be another one (docs/reference/stages.md, "kargs stage").

    arguments    words of a kernel command line, and changes of them
    bls          one entry of the Boot Loader Specification
    grub         grub.cfg and the environment block
    candidates   filesystems that may have boot loader files
    files        read and write the boot loader files of one filesystem
    mounts       mount these filesystems
    search       find the boot loader files of this machine
    helper       change the arguments and reboot
"""
