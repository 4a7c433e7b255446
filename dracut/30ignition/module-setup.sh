#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dracut module: first-boot provisioning with Ignition.
#
# A missing file ends the build, because dracut ignores the result of install() and would build an
# image that does not provision.
#
# Environment:
#   IGNITION_PYTHON        Python interpreter with Ignition installed (default: /usr/bin/python3)
#   IGNITION_KARGS_HELPER  path of a program that changes kernel arguments; or auto, grub or
#                          systemd-boot for Ignition's helper (docs/how-to/kernel-arguments.md)
#   IGNITION_BOOT_DEVICE   device with the boot loader's files, for Ignition's helper
#                          (default: search for it)
#   IGNITION_CLEVIS        yes: require Clevis; no: leave it out (default: if the build host has it)
#
# shellcheck disable=SC2154 # dracut sets initdir, moddir, systemdsystemunitdir, ...

# called by dracut
check() {
    # Only on request: by name, or as a dependency of another module.
    return 255
}

# called by dracut
depends() {
    local modules="base systemd-initrd dracut-systemd udev-rules fs-lib kernel-network-modules qemu"
    # udev rules and kernel modules for RAID arrays and LUKS volumes, if the programs are installed.
    ! type -P mdadm >/dev/null || modules+=" mdraid"
    ! { type -P cryptsetup && type -P dmsetup; } >/dev/null || modules+=" crypt"
    echo "$modules"
}

# called by dracut
installkernel() {
    # Sources of configs.
    hostonly='' instmods qemu_fw_cfg hv_utils \
        vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport
    # Filesystems that the engine creates or mounts.
    hostonly='' instmods ext4 xfs btrfs vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 virtiofs
    # EFI variables: the kernel argument helper detects the boot loader by them.
    hostonly='' instmods efivarfs
    # RAID arrays and LUKS volumes; cryptsetup encrypts key slots with the kernel's algorithms.
    hostonly='' instmods md_mod linear raid0 raid1 raid10 raid456 \
        dm_mod dm_crypt aes_generic aesni_intel xts sha256_generic algif_skcipher algif_hash
    # TPM drivers, to unlock LUKS volumes.
    ! ignition_with_tpm || hostonly='' instmods '=drivers/char/tpm'
    # DHCP uses packet sockets.
    hostonly='' instmods af_packet
    case ${DRACUT_ARCH:-$(uname -m)} in
        s390*) hostonly='' instmods zcrypt_cex4 pkey_cca ;;
        aarch64) hostonly='' instmods mlxbf_bootctl ;;
    esac
    return 0
}

# called by dracut
install() {
    ignition_install_programs
    ! ignition_with_clevis || ignition_install_clevis
    ignition_install_runtime
    ignition_install_units
    ignition_install_network
    ignition_install_emergency
}

ignition_fail() {
    dfatal "ignition: $*"
    exit 1
}

# Required programs and files; optional ones go through inst_multiple -o.
ignition_require() {
    inst_multiple "$@" || ignition_fail "cannot install: one of these files not found: $*"
}

ignition_install_programs() {
    ignition_require basename lsblk blkid sfdisk partx wipefs mount umount mountpoint udevadm \
        modprobe systemctl journalctl sulogin sh sed head cut sleep cp mv mkdir rm
    inst_multiple -o mdadm cryptsetup dmsetup \
        groupadd groupmod groupdel useradd usermod userdel setfiles \
        mkfs.btrfs mkfs.ext4 mkfs.fat mkfs.xfs mkswap
    if [[ ${DRACUT_ARCH:-$(uname -m)} == s390* ]]; then
        inst_multiple -o chccwdev cio_ignore vmur zkey zkey-cryptsetup
        mkdir -p "$initdir/etc/luks"
        echo "Dummy key: the volume key of a CEX volume is protected by the crypto adapter." \
            > "$initdir/etc/luks/cex.key"
    fi
    local helper=${IGNITION_KARGS_HELPER:-$moddir/ignition-kargs-helper.sh}
    case $helper in
        auto | grub | systemd-boot) ignition_own_kargs_helper "$helper" ;;
        *) inst_script "$helper" /usr/sbin/ignition-kargs-helper || ignition_fail "cannot install $helper" ;;
    esac
}

ignition_with_clevis() {
    case ${IGNITION_CLEVIS:-} in
        no) return 1 ;;
        yes) return 0 ;;
        *) type -P clevis-luks-bind >/dev/null ;;
    esac
}

ignition_with_tpm() {
    ignition_with_clevis && type -P clevis-encrypt-tpm2 >/dev/null && type -P tpm2 >/dev/null
}

# Clevis consists of shell scripts; dracut cannot find the programs that they call.
ignition_install_clevis() {
    ignition_require bash clevis clevis-luks-bind clevis-luks-common-functions clevis-luks-unlock \
        clevis-encrypt-sss clevis-encrypt-tang clevis-decrypt clevis-decrypt-sss clevis-decrypt-tang \
        jose pwmake curl cryptsetup basename cat cut grep mkdir mktemp rm sed sort tail tr
    inst_simple "$moddir/ignition-luks.conf" /etc/security/pwquality.conf.d/ignition-luks.conf
    # Pins of third parties. The distribution must add the programs that they call.
    local pin
    for pin in /usr/bin/clevis-{en,de}crypt-*; do
        [[ $pin == *-tpm2 ]] || inst_simple "$pin"
    done
    ignition_with_tpm || return 0
    ignition_require clevis-encrypt-tpm2 clevis-decrypt-tpm2 tpm2 tpm2_create tpm2_createpolicy \
        tpm2_createprimary tpm2_flushcontext tpm2_load tpm2_pcrread tpm2_unseal
    # The device library is loaded by name at run time.
    inst_libdir_file 'libtss2-tcti-device.so*'
}

# Install the engine as the kernel argument helper, with the settings of the image build.
ignition_own_kargs_helper() { # LOADER
    local helper=$initdir/usr/sbin/ignition-kargs-helper
    mkdir -p "$initdir/usr/libexec" "${helper%/*}"
    ln_r /usr/bin/ignition /usr/libexec/ignition-kargs-helper
    printf '%s\n' '#!/bin/sh' \
        "export IGNITION_BOOT_LOADER='$1' IGNITION_BOOT_DEVICE='${IGNITION_BOOT_DEVICE:-}'" \
        'exec /usr/libexec/ignition-kargs-helper "$@"' > "$helper"
    chmod 755 "$helper"
}

# Pack the engine, the interpreter and the libraries, and run the packed engine once.
ignition_install_runtime() {
    local python=${IGNITION_PYTHON:-/usr/bin/python3} files
    files=$("$python" -m ignition initramfs --output "$initdir") \
        || ignition_fail "cannot pack the engine with $python, see the error above;" \
            "set IGNITION_PYTHON to an interpreter that has Ignition and its libraries installed"
    # System files that the packed interpreter loads: shared libraries, the CA bundle.
    # shellcheck disable=SC2086 # one name per line, without blanks
    ignition_require $files
}

ignition_install_network() {
    ignition_require "$systemdutildir/systemd-networkd"
    inst_multiple -o "$systemdutildir/systemd-network-generator" \
        "$systemdsystemunitdir/systemd-network-generator.service" \
        "$systemdnetwork/99-default.link"
    inst_rules 80-net-setup-link.rules 75-net-description.rules
    grep -q '^systemd-network:' "$initdir/etc/passwd" \
        || ignition_fail "user systemd-network not found in /etc/passwd; systemd-networkd needs it"
    inst_simple "$moddir/ignition.network" /usr/lib/ignition-runtime/ignition.network
    inst_script "$moddir/ignition-network.sh" /usr/libexec/ignition-network
    ignition_unit ignition-network.service ignition-complete.target
    # Without these arguments there is nothing to generate.
    ignition_dropin systemd-network-generator.service \
        '[Unit]' ConditionKernelCommandLine='|ip' ConditionKernelCommandLine='|vlan' \
        ConditionKernelCommandLine='|bond' ConditionKernelCommandLine='|bridge'
    # Another network module is responsible if the kernel command line configures the network.
    local module
    for module in network-manager network-legacy network-wicked connman systemd-networkd; do
        if dracut_module_included "$module"; then
            ignition_dropin ignition-network.service '[Unit]' \
                ConditionKernelCommandLine='!ip' ConditionKernelCommandLine='!rd.neednet' \
                ConditionKernelCommandLine='!netroot'
            break
        fi
    done
}

ignition_install_units() {
    local name
    inst_script "$moddir/ignition-generator" \
        "$systemdutildir/system-generators/ignition-generator" \
        || ignition_fail "cannot install ignition-generator"
    for name in complete subsequent diskful diskful-subsequent; do
        ignition_unit "ignition-$name.target"
    done
    for name in fetch-offline fetch kargs disks mount files; do
        ignition_unit "ignition-$name.service" ignition-complete.target
    done
    ignition_unit ignition-remount-sysroot.service ignition-diskful.target
    # Without the first file, udev probes arrays that are incomplete.
    inst_rules 01-md-raid-creating.rules 60-cdrom_id.rules "$moddir/99-xx-ignition-systemd-cryptsetup.rules"
}

ignition_install_emergency() {
    inst_script "$moddir/ignition-emergency.sh" /usr/libexec/ignition-emergency
    local unit
    for unit in emergency dracut-emergency; do
        inst_simple "$moddir/emergency.conf" "$systemdsystemunitdir/$unit.service.d/ignition.conf"
    done
    inst_simple "$moddir/emergency-retry.conf" \
        "$systemdsystemunitdir/emergency.service.d/ignition-retry.conf"
}

# ignition_unit UNIT [TARGET]: install the unit; TARGET requires it.
ignition_unit() {
    inst_simple "$moddir/$1" "$systemdsystemunitdir/$1" || ignition_fail "cannot install $1"
    [[ -z ${2:-} ]] && return
    mkdir -p "$initdir$systemdsystemunitdir/$2.requires"
    ln_r "$systemdsystemunitdir/$1" "$systemdsystemunitdir/$2.requires/$1"
}

# ignition_dropin UNIT LINE...
ignition_dropin() {
    local dir="$initdir$systemdsystemunitdir/$1.d"
    mkdir -p "$dir"
    printf '%s\n' "${@:2}" > "$dir/ignition.conf"
}
