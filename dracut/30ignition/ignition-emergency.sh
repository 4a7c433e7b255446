#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the failure card as the last text on the console when provisioning has failed.
#
# This program replaces dracut's emergency program, and runs it if Ignition did not fail. Otherwise
# it stops the console output of systemd and the kernel, prints the card on every console, and then
# does what dracut does: obey rd.shell= and rd.emergency=, or start a shell, here after Enter.

# Root of the running system, and process id of systemd; tests set other values.
system=${IGNITION_RUNNING_SYSTEM:-}
init=${IGNITION_INIT_PID:-1}
card=$system/run/ignition/failure
lines=20

failed_units() {
    systemctl list-units --state=failed --plain --no-legend 'ignition-*' 2> /dev/null
}

platform() {
    [ -r "$system/run/ignition.env" ] || return
    while IFS='=' read -r key value; do
        [ "$key" != PLATFORM_ID ] || echo "$value"
    done < "$system/run/ignition.env"
}

last_log_lines() { # UNIT
    journalctl --boot --quiet --no-pager --output=cat --lines=6 "_SYSTEMD_UNIT=$1" 2> /dev/null \
        | cut -c -69 | sed 's/^/         /'
}

# Card for a unit that failed without a card of its own: the engine did not start, or was killed.
# The layout is that of ignition/boot/failure_card.py.
fallback_card() { # FAILED_UNITS
    rule=------------------------------------------------------------------------------
    echo "$rule"
    echo "Provisioning failed. The boot is halted and no further changes are made."
    echo "The next boot tries again from the start."
    echo
    echo "$1" | head -n 3 | while read -r unit _; do
        echo "unit     $unit"
    done
    if [ -z "$(platform)" ]; then
        echo "cause    platform not found on the kernel command line"
        echo "try      add ignition.platform.id=ID, for example qemu or metal"
    else
        echo "cause    no failure card was written; last log lines:"
        last_log_lines "${1%% *}"
        echo "try      read the full log, correct the cause and boot again"
    fi
    echo
    echo "Full log: journalctl -u 'ignition-*'"
    echo "$rule"
}

quiet_console() {
    # Signal 55 is SIGRTMIN+21: systemd stops printing status messages (systemd(1)).
    kill -55 "$init"
    # The kernel prints emergencies only; dmesg still shows all messages.
    read -r console_loglevel _ < "$system/proc/sys/kernel/printk"
    echo 1 > "$system/proc/sys/kernel/printk"
    # The target is reached at about this time. Wait for it and for the journal, because both
    # may still print to the console.
    tries=10
    until [ "$(systemctl is-active emergency.target)" = active ] || [ $tries -eq 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
    journalctl --sync
} > /dev/null 2>&1

# Restore the console output.
loud_console() {
    kill -54 "$init" # SIGRTMIN+20
    echo "$console_loglevel" > "$system/proc/sys/kernel/printk"
} > /dev/null 2>&1

# Print the prompt and then the card on each console, so that the card comes last.
print_card() { # PROMPT
    while read -r tty _; do
        {
            echo
            [ -z "$1" ] || echo "$1"
            head -n "$lines" "$card"
        } > "$system/dev/$tty"
    done < "$system/proc/consoles"
}

main() {
    # Without a card, look for failed units of Ignition.
    if [ ! -s "$card" ]; then
        failed=$(failed_units)
        [ -n "$failed" ] || exec "$system/bin/dracut-emergency"
    fi

    quiet_console
    [ -s "$card" ] || (umask 077 && fallback_card "$failed" > "$card")

    # shellcheck disable=SC1091 # a file of dracut, in the image
    . "$system/lib/dracut-lib.sh"
    export DRACUT_SYSTEMD=1 _rdshell_name=dracut action=Boot
    if getargbool 1 rd.shell -d -y rdshell || getarg rd.break -d rdbreak > /dev/null; then
        hook=emergency
        prompt="Press Enter for a shell."
        then=
    else
        hook=shutdown-emergency
        prompt=
        then=$(getarg rd.emergency=)
        then=${then:-halt}
    fi
    {
        rdsosreport
        export hook
        source_hook "$hook"
    } > /dev/null 2>&1

    print_card "$prompt"
    case $then in
        reboot | poweroff | halt)
            rm -f -- "$system/.console_lock"
            "$then" > /dev/null 2>&1 || exit 1
            # If the unit ended now, systemd would print to the console.
            sleep 60
            ;;
        '')
            read -r _
            # The next try needs a card of its own, if it fails.
            mv -f "$card" "$card.shown"
            loud_console
            # shellcheck disable=SC1091 # a file of the image
            [ ! -f "$system/etc/profile" ] || . "$system/etc/profile"
            export PS1="ignition:\${PWD}# "
            exec sulogin -e
            ;;
    esac
}

main
