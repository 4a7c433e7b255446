#!/bin/sh
# What the operator sees when provisioning has failed: the failure card, last on the console.
#
# It stands in for dracut's emergency program, and hands over to it when it was not
# Ignition that failed. Otherwise it keeps systemd and the kernel from writing over the
# card, prints the card on every console, and does what dracut would: obey rd.shell= and
# rd.emergency=, or give a shell, here after Enter.

# Where the running system is mounted, and who systemd is; tests have others.
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

last_words() { # UNIT
    journalctl --boot --quiet --no-pager --output=cat --lines=6 "_SYSTEMD_UNIT=$1" 2> /dev/null \
        | cut -c -69 | sed 's/^/         /'
}

# A unit failed without leaving a card: the engine could not start at all, or was killed.
# Laid out like the engine's own cards.
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
        echo "cause    the kernel command line names no platform"
        echo "try      add ignition.platform.id=NAME, for example qemu or metal"
    else
        echo "cause    the last that it wrote:"
        last_words "${1%% *}"
        echo "try      correct the cause and boot again"
    fi
    echo
    echo "Full log: journalctl -u 'ignition-*'"
    echo "$rule"
}

quiet_console() {
    # Signal 55 is SIGRTMIN+21: systemd prints no more status lines.
    kill -55 "$init"
    # The kernel keeps all but emergencies to its log (dmesg shows it).
    read -r console_loglevel _ < "$system/proc/sys/kernel/printk"
    echo 1 > "$system/proc/sys/kernel/printk"
    # Wait for the target (it is reached when this program runs, save a moment) and
    # for the journal's forwarding: both may still have a line for the console.
    tries=10
    until [ "$(systemctl is-active emergency.target)" = active ] || [ $tries -eq 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
    journalctl --sync
} > /dev/null 2>&1

# What the operator does next is seen as usual.
loud_console() {
    kill -54 "$init" # SIGRTMIN+20
    echo "$console_loglevel" > "$system/proc/sys/kernel/printk"
} > /dev/null 2>&1

# The card is the last thing on each console; what to press stands above it.
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
    # Without a card, was it a unit of ours that failed?
    if [ ! -s "$card" ]; then
        failed=$(failed_units)
        [ -n "$failed" ] || exec "$system/bin/dracut-emergency"
    fi

    quiet_console
    [ -s "$card" ] || (umask 077 && fallback_card "$failed" > "$card")

    # shellcheck disable=SC1091 # dracut's, in the image
    . "$system/lib/dracut-lib.sh"
    export DRACUT_SYSTEMD=1 _rdshell_name=dracut action=Boot
    if getargbool 1 rd.shell -d -y rdshell || getarg rd.break -d rdbreak > /dev/null; then
        hook=emergency
        prompt="Press Enter for a shell. The card of the failure:"
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
            # The unit must not end, and say so, before the machine does.
            sleep 60
            ;;
        '')
            read -r _
            # What the operator tries next may fail anew, or succeed.
            mv -f "$card" "$card.shown"
            loud_console
            # shellcheck disable=SC1091 # the image's
            [ ! -f "$system/etc/profile" ] || . "$system/etc/profile"
            export PS1="ignition:\${PWD}# "
            exec sulogin -e
            ;;
    esac
}

main
