#!/bin/sh
# A host with two CPUs and a network card of four queues, for what hosts of the lab cannot show: they have one CPU and
# no interrupts to move. QEMU emulates it without KVM, in a network namespace of its own.
#   irq-host.sh make CACHE         makes its disk and kernel, once
#   irq-host.sh start CACHE DIR    boots one from a copy in DIR, and waits until SSH answers
#   irq-host.sh ssh DIR CMD...     runs CMD on it
#   irq-host.sh exec DIR CMD...    runs CMD on this machine, but in its network: DIR/ssh_config holds there
#   irq-host.sh plug DIR           gives it a second such card while it runs, and says what the host calls it
#   irq-host.sh reboot DIR         cuts its power and boots it again
#   irq-host.sh stop DIR           cuts its power and removes its network; its disk stays in DIR
set -eu
suite=bookworm
packages=systemd-sysv,udev,dbus,kmod,procps,iproute2,ethtool,openssh-server,irqbalance
packages=$packages,initramfs-tools,linux-image-cloud-amd64
disk_size=8G
# The first card's network and the second's: this machine is .1, the host .2.
network=10.77.0 second_network=10.77.1
mac=02:77:00:00:00:01 second_mac=02:77:00:00:00:02
boot_limit=300

say() { echo "irq-host: $*" >&2; }
fail() { say "$*"; exit 1; }

# Run by mmdebstrap before it installs anything: the initial disk gets the drivers of the root disk and no more.
prepare() {
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
    echo MODULES=list >"$1/etc/initramfs-tools/conf.d/irq-host"
    printf '%s\n' virtio_pci virtio_blk ext4 >"$1/usr/share/initramfs-tools/modules.d/irq-host"
}

# Run by mmdebstrap at the end, with the new root directory and the one of what is made.
customize() {
    cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
    cp "$1"/boot/initrd.img-* "$2/initrd"
    echo irq-host >"$1/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 irq-host\n' >"$1/etc/hosts"
    echo '# This network has no name server.' >"$1/etc/resolv.conf"
    : >"$1/etc/fstab"
    : >"$1/etc/machine-id"
    for card in "$mac $network" "$second_mac $second_network"; do
        printf '[Match]\nMACAddress=%s\n[Network]\nAddress=%s.2/24\nIPv6AcceptRA=no\n' "${card% *}" "${card#* }" \
            >"$1/etc/systemd/network/${card#* }.network"
    done
    rm -f "$1"/etc/ssh/ssh_host_*
    install -m 0600 "$2/host_key" "$1/etc/ssh/ssh_host_ed25519_key"
    install -m 0644 "$2/host_key.pub" "$1/etc/ssh/ssh_host_ed25519_key.pub"
    install -D -m 0600 "$2/login.pub" "$1/root/.ssh/authorized_keys"
    chroot "$1" systemctl --quiet enable systemd-networkd.service ssh.service
    chroot "$1" systemctl --quiet mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
        dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@.service serial-getty@.service
}

build() {
    mark=$cache/irq-host/.made-$(sha256sum <"$self" | cut -c 1-16)
    mkdir -p "$cache"
    exec 9>"$cache/.irq-host-lock"
    flock -n 9 || { say "waiting for another run in $cache"; flock 9; }
    [ ! -e "$mark" ] || return 0
    find "$cache" -maxdepth 1 -type d -name 'irq-host.??????' -exec rm -rf {} +
    work=$(mktemp -d "$cache/irq-host.XXXXXX")
    log=$cache/irq-host.log
    exec 3>&2
    # The log's end is shown by the trap: behind an `||`, the shell would go on after a step that failed.
    trap 'code=$?; rm -rf "$work"; [ "$code" = 0 ] || tail -n 20 "$log" >&3' EXIT
    trap 'exit 1' HUP INT TERM
    say "making the host's disk (once; about a minute); its log is $log"
    {
        mkdir "$work/made"
        for key in login host_key; do ssh-keygen -q -t ed25519 -N '' -C "irq-host $key" -f "$work/made/$key"; done
        mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
            2>/dev/null | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ')
        # Mounts that mmdebstrap makes go with the mount namespace, even if it is killed.
        unshare --mount --propagation private mmdebstrap --variant=minbase --include="$packages" \
            --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --setup-hook="'$self' prepare \"\$1\"" --customize-hook="'$self' customize \"\$1\" '$work/made'" \
            "$suite" "$work/root" $mirror
        mke2fs -q -t ext4 -m 1 -E lazy_itable_init=0,lazy_journal_init=0 -d "$work/root" "$work/made/disk" "$disk_size"
    } >"$log" 2>&1 9>&-
    touch "$work/made/$(basename "$mark")"
    rm -rf "$cache/irq-host"
    mv "$work/made" "$cache/irq-host"
}

on_host() { ip netns exec "$namespace" ssh -F ssh_config -o ConnectTimeout=5 irq-host "$@"; }

running() { [ -e pid ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat pid)/cmdline" | grep -q -- "-name $namespace "; }

# Options of card $1, with its slot and its MAC address: two interrupts for each queue pair, two for the card itself.
backend() { echo "tap,id=n$1,ifname=tap$1,queues=4,script=no,downscript=no,vhost=off"; }
card() { echo "virtio-net-pci,netdev=n$1,addr=0x$2,mac=$3,mq=on,vectors=10,romfile="; }

tap() {
    ! ip -n "$namespace" link show "tap$1" >/dev/null 2>&1 || return 0
    ip netns exec "$namespace" ip tuntap add dev "tap$1" mode tap multi_queue
    ip -n "$namespace" addr add "$2.1/24" dev "tap$1"
    ip -n "$namespace" link set "tap$1" up
}

# Killed, a process loses its command line first and its files last: the next one waits for all of its threads.
holds() { awk '/^State:/ { dead = $2 == "Z" } /^Threads:/ { exit dead && $2 < 2 }' "/proc/$1/status" 2>/dev/null; }

power_off() {
    running || return 0
    kill -KILL "$(cat pid)"
    while holds "$(cat pid)"; do sleep 0.1; done
}

boot() {
    [ -e "/run/netns/$namespace" ] || ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    tap 0 "$network"
    second=
    [ ! -e plugged ] || second="-netdev $(backend 1) -device $(card 1 4 $second_mac)"
    # A monitor behind pipes needs no program that talks to sockets.
    rm -f monitor.in monitor.out
    mkfifo monitor.in monitor.out
    began=$(date +%s)
    ip netns exec "$namespace" qemu-system-x86_64 -name "$namespace" -daemonize -pidfile pid -display none -nodefaults \
        -accel tcg,thread=multi -cpu max,la57=off,svm=off -smp 2 -m 1024 -serial file:console -qmp pipe:monitor \
        -kernel vmlinuz -initrd initrd -append 'root=/dev/vda rw console=ttyS0 quiet' \
        -drive file=disk,format=raw,if=virtio -netdev "$(backend 0)" -device "$(card 0 2 $mac)" $second \
        </dev/null >qemu.log 2>&1 || fail "QEMU does not start: $(cat qemu.log)"
    until on_host true 2>ssh.log; do
        running || fail "QEMU has ended: $(tail -n 5 qemu.log console)"
        [ $(($(date +%s) - began)) -lt $boot_limit ] ||
            fail "no SSH after $boot_limit s: $(tail -n 3 ssh.log); the host's console is $PWD/console"
        sleep 0.5
    done
    say "up after $(($(date +%s) - began)) s"
}

start() {
    [ ! -e disk ] || fail "there is a host in $PWD: stop it and remove the directory first"
    cp --recursive --sparse=always --reflink=auto "$cache/irq-host/." .
    namespace=irq-host-$(pwd | sha256sum | cut -c 1-8)
    echo "$namespace" >namespace
    echo "irq-host $(cut -d ' ' -f 1,2 host_key.pub)" >known_hosts
    printf '%s\n' 'Host irq-host' "HostName $network.2" 'HostKeyAlias irq-host' 'User root' 'BatchMode yes' \
        "IdentityFile $PWD/login" 'IdentitiesOnly yes' "UserKnownHostsFile $PWD/known_hosts" \
        'StrictHostKeyChecking yes' >ssh_config
    boot
}

plug() {
    running || fail "the host in $PWD is not running"
    tap 1 "$second_network"
    [ -e plugged ] || {
        echo '{"execute": "qmp_capabilities"}'
        printf '{"execute": "human-monitor-command", "arguments": {"command-line": "%s"}}\n' \
            "netdev_add $(backend 1)" "device_add $(card 1 4 $second_mac)"
    } >monitor.in
    on_host "for try in \$(seq 60); do ip -br -4 addr | grep ' $second_network.2/' | cut -d ' ' -f 1 | grep . && exit
        sleep 0.5; done; exit 1" || fail "the host does not get the second card: $(timeout 1 cat monitor.out)"
    touch plugged
}

self=$(realpath "$0")
[ $# -ge 2 ] || { sed -n '4,10s/^# *//p' "$self" >&2; exit 2; }
verb=$1 cache=$(realpath -m "$2")
case $verb in
make) build ;;
prepare | customize) "$@" ;;
start) mkdir -p "$3" && cd "$3" && start ;;
*)
    cd "$2"
    namespace=$(cat namespace)
    shift 2
    case $verb in
    ssh) on_host "$@" ;;
    exec) cd "$OLDPWD" && ip netns exec "$namespace" "$@" ;;
    plug) plug ;;
    reboot) power_off; boot ;;
    stop)
        power_off
        [ ! -e "/run/netns/$namespace" ] || ip netns delete "$namespace"
        ;;
    *) fail "no such verb: $verb" ;;
    esac
    ;;
esac
