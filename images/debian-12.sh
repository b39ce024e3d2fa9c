#!/bin/sh
# debian-12.sh IMAGE...: fetches and builds everything that the specs IMAGE.yaml beside it name, out of Debian packages,
# into the cache: $KUBEWRIGHT_CACHE, or ~/.cache/kubewright. What is done is skipped; an interrupted run is simply started
# again. Two images at once cost less than one after the other.
set -eu
here=$(cd "$(dirname "$0")" && pwd)/debian-12
out=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/debian-12

stamps=
for image; do
    case $image in
        debian-12) stamps="$stamps v1.20.2" ;;
        debian-12-updates) stamps="$stamps v1.20.2+deb12u1" ;;
        debian-12-minor) stamps="$stamps v1.21.0" ;;
        *) echo "$0: $image is none of debian-12, debian-12-updates, debian-12-minor" >&2; exit 64 ;;
    esac
done
[ -n "$stamps" ] || { echo "usage: $0 debian-12|debian-12-updates|debian-12-minor..." >&2; exit 64; }

missing=
for package in golang-1.19-go gcc libc6-dev make rsync dpkg-dev patchelf debian-archive-keyring util-linux; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] || { echo "Packages are missing. Run: apt-get install$missing" >&2; exit 1; }

mkdir -p "$out"
exec 9>"$out/.lock"
flock -n 9 || { echo "Waiting for another run in $out" >&2; flock 9; }
# What an interrupted run left behind.
find "$out" -maxdepth 1 -type d -name 'work.??????' -exec rm -rf {} +

# step NAME SCRIPT ARGUMENTS...: runs SCRIPT, unless it has succeeded before: the same script, arguments and helpers.
step() {
    name=$1
    script=$here/$2
    shift 2
    digest=$({ cat "$script" "$here/apt.sh" "$here/bundle.sh"; echo "$steps" "$@"; } | sha256sum | cut -c 1-16)
    steps="$steps $digest"
    mark=$out/.$name-$digest
    [ ! -e "$mark" ] || return 0
    echo "$name" >&2
    "$script" "$out" "$@"
    rm -f "$out/.$name"-*
    touch "$mark"
}
steps=

# shellcheck disable=SC2086
"$here/kubernetes.sh" "$out" $stamps
step bookworm root.sh bookworm 'etcd-server=3.4.23*' 'etcd-client=3.4.23*' 'containerd=1.6.20*' 'runc=1.1.5*' \
    'containernetworking-plugins=1.1.1*' 'haproxy=2.6.12*' 'keepalived=1:2.2.7*' iptables ipset ipvsadm conntrack \
    iproute2 mount util-linux kmod socat ethtool
step trixie root.sh trixie 'etcd-server=3.5.16*' 'etcd-client=3.5.16*' 'containerd=1.7.24*' 'runc=1.1.15*' \
    'busybox-static=1:1.37.0*'
step components components.sh
step rootfs rootfs.sh
