#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Helper of ignition-network.service, which runs systemd-networkd in the initramfs.
#
#   configure  install the configuration that requests addresses on all wired interfaces; not
#              earlier, because an image may run a networkd of its own that must not request any
#   up         wait until one interface has an address, then write /etc/resolv.conf
#   down       set the interfaces down again for the real system
#
# The waiting loop uses shell built-ins, because starting programs is slow on a slow machine.
set -u

# Root of the running system; tests set another directory.
system=${IGNITION_RUNNING_SYSTEM:-}
networks=$system/run/systemd/network
network_file=$system/usr/lib/ignition-runtime/ignition.network
netif=$system/run/systemd/netif
interfaces=$system/sys/class/net
resolv_conf=$system/etc/resolv.conf
failure_file=$system/run/ignition/failure
neednet=$system/run/ignition/neednet
limit=${IGNITION_NETWORK_TIMEOUT:-120}

configure() {
    mkdir -p "$networks"
    cp "$network_file" "$networks/zz-ignition.network"
}

uptime() {
    read -r now _ < /proc/uptime
    echo "${now%%.*}"
}

# Wired interfaces with a device: no bridges, no bonds, no loopback.
wired_interfaces() {
    for path in "$interfaces"/*; do
        [ -e "$path/device" ] || continue
        read -r type < "$path/type"
        [ "$type" = 1 ] && echo "${path##*/}"
    done
}

# A "routable" link has an address that is valid beyond the link (networkctl(1)). A DHCP lease is
# enough too: a cloud whose metadata network is link-local offers no more than that.
# "configured" would include seconds of waiting for IPv6 routers.
online() {
    for lease in "$netif"/leases/*; do
        [ -s "$lease" ] && return 0
    done
    [ -e "$netif/state" ] || return 1
    while IFS='=' read -r key value; do
        [ "$key=$value" = OPER_STATE=routable ] && return 0
    done < "$netif/state"
    return 1
}

write_resolv_conf() {
    lines=
    while IFS='=' read -r key value; do
        case $key in
            DNS)
                for server in $value; do
                    lines="${lines}nameserver ${server%%#*}
"
                done
                ;;
            DOMAINS) [ -z "$value" ] || lines="${lines}search $value
" ;;
        esac
    done < "$netif/state"
    # A network may have no name servers. Then a file that the image contains is kept.
    [ -z "$lines" ] || printf '%s' "$lines" > "$resolv_conf"
}

state_of() { # INTERFACE
    # Reading the carrier of an interface that is down is an error.
    { read -r carrier < "$interfaces/$1/carrier"; } 2> /dev/null || carrier=0
    if [ "$carrier" = 1 ]; then
        echo "$1: link up, no answer from a DHCP server or IPv6 router"
    else
        echo "$1: no link; check the cable, switch port or virtual switch"
    fi
}

state_of_all() {
    for name in $(wired_interfaces); do
        state_of "$name"
    done
}

# The layout is that of ignition/boot/failure_card.py.
failure_card() {
    rule=------------------------------------------------------------------------------
    echo "$rule"
    echo "Provisioning failed. The boot is halted and no further changes are made."
    echo "The next boot tries again from the start."
    echo
    echo "stage    network"
    if [ -s "$neednet" ]; then
        head -n 3 "$neednet" | sed 's/^/config   /'
    fi
    echo "cause    cannot bring up the network: no wired interface got an address"
    echo "         within $limit s:"
    found=$(state_of_all)
    if [ -n "$found" ]; then
        echo "$found" | head -n 4 | sed 's/^/         /'
        echo "try      set an address on the kernel command line, for example"
        echo "         ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:none nameserver=10.0.0.1"
    else
        echo "         no wired network interface found"
        echo "try      add a network interface; its driver must be in the initramfs"
    fi
    echo
    echo "Full log: journalctl -u ignition-network"
    echo "$rule"
}

up() {
    start=$(uptime)
    until online; do
        if [ $(($(uptime) - start)) -ge "$limit" ]; then
            [ -e "$failure_file" ] || (umask 077 && failure_card > "$failure_file")
            echo "timed out after $limit s: no wired network interface got an address" >&2
            exit 1
        fi
        sleep 0.1
    done
    write_resolv_conf
}

down() {
    rm -f "$networks/zz-ignition.network"
    # networkd has removed its addresses. An interface that is up cannot be renamed by the udev
    # rules of the real system.
    for name in $(wired_interfaces); do
        read -r flags < "$interfaces/$name/flags"
        echo $((flags & ~1)) > "$interfaces/$name/flags"
    done
}

case ${1:-} in
    configure | up | down) "$1" ;;
    *)
        echo "usage: $0 configure|up|down" >&2
        exit 2
        ;;
esac
