#!/bin/sh
# The network of the initramfs, beside the systemd-networkd that ignition-network.service runs.
#
#   configure  tells networkd to ask for addresses on all wired cards; only now, since an
#              image may have a networkd of its own that must not do so without need
#   up         waits until one network card has an address, then writes /etc/resolv.conf
#   down       leaves the cards as the kernel had them, for the real system to start with
#
# Only shell built-ins where it matters: each program costs time on a slow machine.
set -u

# Where the running system is mounted; tests have another one.
system=${IGNITION_RUNNING_SYSTEM:-}
networks=$system/run/systemd/network
our_network=$system/usr/lib/ignition-runtime/ignition.network
netif=$system/run/systemd/netif
cards=$system/sys/class/net
resolv_conf=$system/etc/resolv.conf
card_file=$system/run/ignition/failure
neednet=$system/run/ignition/neednet
limit=${IGNITION_NETWORK_TIMEOUT:-120}

configure() {
    mkdir -p "$networks"
    cp "$our_network" "$networks/zz-ignition.network"
}

uptime() {
    read -r now _ < /proc/uptime
    echo "${now%%.*}"
}

# Wired cards that the kernel has a device for: no bridges, no bonds, no loopback.
wired_cards() {
    for path in "$cards"/*; do
        [ -e "$path/device" ] || continue
        read -r type < "$path/type"
        [ "$type" = 1 ] && echo "${path##*/}"
    done
}

# A link that is "routable" has an address that reaches beyond its cable. A DHCP lease is
# enough as well: clouds with only a link-local metadata network never get further.
# We do not wait for "configured": that includes seconds of waiting for IPv6 routers.
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
    # A network without name servers is a network; a file that the image brought stays.
    [ -z "$lines" ] || printf '%s' "$lines" > "$resolv_conf"
}

state_of() { # CARD
    # Reading the carrier of a card that is down is an error.
    { read -r carrier < "$cards/$1/carrier"; } 2> /dev/null || carrier=0
    if [ "$carrier" = 1 ]; then
        echo "$1: connected, but no DHCP server or IPv6 router answered"
    else
        echo "$1: no link; check its cable, switch port or virtual switch"
    fi
}

state_of_all() {
    for name in $(wired_cards); do
        state_of "$name"
    done
}

# Laid out like the engine's own cards, see ignition/boot/failure_card.py.
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
    echo "cause    the network is needed, but no wired network card got an address"
    echo "         within $limit s:"
    found=$(state_of_all)
    if [ -n "$found" ]; then
        echo "$found" | head -n 4 | sed 's/^/         /'
        echo "try      give an address on the kernel command line, for example"
        echo "         ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:none nameserver=10.0.0.1"
    else
        echo "         there is no such card"
        echo "try      give the machine one; its driver has to be in the initramfs"
    fi
    echo
    echo "Full log: journalctl -u ignition-network"
    echo "$rule"
}

up() {
    start=$(uptime)
    until online; do
        if [ $(($(uptime) - start)) -ge "$limit" ]; then
            [ -e "$card_file" ] || (umask 077 && failure_card > "$card_file")
            echo "no network card got an address within $limit s" >&2
            exit 1
        fi
        sleep 0.1
    done
    write_resolv_conf
}

down() {
    rm -f "$networks/zz-ignition.network"
    # networkd has given back its addresses; a card that is still up cannot be renamed by
    # the real system's rules.
    for name in $(wired_cards); do
        read -r flags < "$cards/$name/flags"
        echo $((flags & ~1)) > "$cards/$name/flags"
    done
}

case ${1:-} in
    configure | up | down) "$1" ;;
    *)
        echo "usage: $0 configure|up|down" >&2
        exit 2
        ;;
esac
