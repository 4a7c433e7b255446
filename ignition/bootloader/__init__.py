"""The kernel arguments in the boot loader's own files: GRUB, systemd-boot, Boot Loader Specification entries.

The engine does not come here: it calls the distribution's helper (engine.md 9.2). This is what the helper
that we bring is made of; a distribution may have another one.

    arguments    words of a command line, and what becomes of them
    bls          one entry of the Boot Loader Specification
    grub         grub.cfg and the environment block
    places       on which filesystems all this may be
    files        looking through one of them, and writing what changed
    mounts       the filesystems that are looked at
    search       finding the files on this machine
    helper       from the arguments that are asked for to the reboot
"""
