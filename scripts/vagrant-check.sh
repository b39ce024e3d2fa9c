#!/bin/sh
# vagrant-check.sh [cluster]: brings two hosts of inventories/vagrant.yaml up by Vagrant, on emulated processors, prepares
# them, destroys them, and sees that nothing is left. With `cluster`, `vagrant up` goes on to a cluster, which takes long.
# All of it happens in namespaces of its own: networks, bridges and processes of libvirt are nowhere else, and go with
# this script, whatever ends it. What is kept is the box, in the cache.
set -eu
self=$(realpath "$0")
here=$(dirname "$(dirname "$self")")
ends_with=${1:-hosts}
cache=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}

say() { echo "vagrant-check: $*"; }
fail() { say "$*" >&2; exit 1; }

packages() {
    missing=
    for package in dnsmasq-base e2fsprogs fdisk grub-common grub-pc-bin iproute2 iptables libvirt-clients libvirt-daemon \
        libvirt-daemon-driver-qemu mmdebstrap openssh-client qemu-system-x86 qemu-utils util-linux vagrant vagrant-libvirt; do
        [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing:$missing"
    apt-get -q update
    # Servers that a package brings must not start here.
    # shellcheck disable=SC2086
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing
}

# timed NAME COMMAND...: and how long it took.
timed() {
    name=$1
    shift
    began=$(date +%s)
    "$@" || fail "failed after $(($(date +%s) - began)) s: $name"
    say "$name: $(($(date +%s) - began)) s"
}

# libvirt with nothing but what is in $work, as root, because users of its own are not there.
libvirt() {
    for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
        mkdir -p "$work$directory"
        mount --bind "$work$directory" "$directory"
    done
    # It wants its own user and group to be there, even where it is told to use others.
    { cat /etc/group; echo libvirt-qemu:x:64055:; } >"$work/group"
    { cat /etc/passwd; echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin; } >"$work/passwd"
    for file in group passwd; do mount --bind "$work/$file" /etc/$file; done
    mount -t tmpfs tmpfs /run
    # There may be such a device that no kernel boots with: the processors are emulated.
    [ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
    cat >/etc/libvirt/qemu.conf <<'END'
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
END
    ip link set lo up
    libvirtd --daemon
    limit=$(($(date +%s) + 60))
    until virsh uri >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$limit" ] || fail "libvirtd does not answer: $(tail -n 20 "$work/var/log/libvirt/libvirtd.log")"
        sleep 0.2
    done
}

# What there is of machines: libvirt's things, processes, network devices, host keys; one a line.
left() {
    virsh --quiet list --all --name
    virsh --quiet net-list --all --name
    virsh --quiet vol-list default 2>/dev/null | awk '{print $1}' | grep -v vagrant_box_image || true
    pgrep -a 'qemu|dnsmasq' || true
    ip -br link | awk '$1 != "lo" {print $1}'
    cut -d ' ' -f 1 "$HOME/.ssh/known_hosts"
}

# Stops the install when the hosts are prepared: the next run would go on from there.
prepare() {
    mkfifo "$work/events"
    "$program" install -o json >"$work/events" 2>"$work/install.err" &
    install=$!
    tee "$work/install.jsonl" <"$work/events" | while read -r line; do
        case $line in
        *'"stage-finished"'*'"prepare"'*'"ok":true'*) touch "$work/prepared"; kill -TERM "$install" ;;
        esac
    done
    wait "$install" || true
    [ -e "$work/prepared" ] || { tail -n 20 "$work/install.err" >&2; return 1; }
}

# An emulated control plane may need longer than an install waits; `vagrant up` goes on where it stopped.
up() {
    for attempt in 1 2 3; do
        ! timeout 3600 vagrant up --no-tty || return 0
        [ "$ends_with" = cluster ] || return 1
        say "attempt $attempt failed"
    done
    return 1
}

inside() {
    work=$2
    program=$work/kubewright
    export HOME="$work/home" VAGRANT_HOME="$work/home/.vagrant.d" VAGRANT_DOTFILE_PATH="$work/machines" VAGRANT_CWD="$here/vagrant"
    export VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_BOX_UPDATE_CHECK_DISABLE=1 VAGRANT_DEFAULT_PROVIDER=libvirt
    export MASTERS=1 WORKERS=1 KUBEWRIGHT_INVENTORY="$here/inventories/vagrant.yaml" KUBEWRIGHT_CACHE="$cache"
    export KUBEWRIGHT_STATE_DIR="$work/state" KUBEWRIGHT_ACCEPT_NEW_HOST_KEYS=1
    # They begin with what their clock chips say, whole seconds, and there is no server of time that they could ask.
    export KUBEWRIGHT_IGNORE_PREFLIGHT=clock
    export KUBEWRIGHT_VAGRANT_PROGRAM="$program" KUBEWRIGHT_VAGRANT_BOX=kubewright/debian-12 KUBEWRIGHT_VAGRANT_DRIVER=qemu
    export KUBEWRIGHT_VAGRANT_UP="$ends_with"
    mkdir -p "$HOME"
    libvirt
    timed "the box is known to Vagrant" vagrant box add --no-tty --name kubewright/debian-12 "$cache/kubewright-debian-12.box"
    vagrant validate
    timed "vagrant up, which ends with $ends_with" up
    vagrant status
    timed preflight "$program" preflight
    if [ "$ends_with" = hosts ]; then
        timed "install, up to the stage prepare" prepare
    else
        timed status "$program" status
    fi
    for name in m1 n1; do
        vagrant ssh "$name" -c 'test -e /etc/modprobe.d/kubewright.conf && cat /proc/sys/net/ipv4/ip_forward' | grep -q 1 ||
            fail "$name is not prepared"
    done
    # Two of each: machines, networks, disks, emulators, servers of names, bridges, other ends of cards, host keys.
    [ "$(left | grep -c .)" -ge 16 ] || fail "only this is seen of what is there: $(left)"
    timed "vagrant destroy" vagrant destroy --force
    [ -z "$(left)" ] || fail "vagrant destroy has left: $(left)"
    say "nothing is left"
}

[ "${1:-}" != inside ] || { ends_with=$3; inside "$@"; exit; }
case $ends_with in hosts | cluster) ;; *) fail "what is $ends_with? Nothing, or cluster" ;; esac
[ "$(id -u)" = 0 ] || fail "run it as root: it makes namespaces and mounts"
program=${KUBEWRIGHT_VAGRANT_PROGRAM:-$here/target/x86_64-unknown-linux-musl/release/kubewright}
[ -x "$program" ] || fail "there is no $program: make build"
[ -d "$cache/images/debian-12" ] || fail "there is no cluster image in $cache/images/debian-12: make image"
packages
timed "the box" "$here/vagrant/box/build.sh"
exec 9>"$cache/.vagrant-check.lock"
flock -n 9 || fail "another one is at work"
# What one that was killed has left: no more than files.
find "$cache" -maxdepth 1 -type d -name 'vagrant-check.??????' -exec rm -rf {} +
work=$(mktemp -d "$cache/vagrant-check.XXXXXX")
made=
# Mounts want places to be mounted at; packages do not bring all of them.
for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    [ -d "$directory" ] || { mkdir "$directory"; made="$made $directory"; }
done
cleanup() {
    # The first process of the namespace takes all others with it.
    [ -z "${child:-}" ] || kill -KILL "$child" 2>/dev/null || true
    wait
    rm -rf "$work"
    # shellcheck disable=SC2086
    [ -z "$made" ] || rmdir $made
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cp "$program" "$work/kubewright"
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
    "$self" inside "$work" "$ends_with" </dev/null &
child=$!
wait "$child"
child=
say passed
