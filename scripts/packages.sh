#!/bin/sh
# Installs the Debian packages that building, testing and the lab need; does nothing when all are there.
set -eu
packages="bc bird2 bison ca-certificates chromium-headless-shell containerd curl docker-registry dpkg-dev e2fsprogs etcd-client etcd-server flex gcc golang-1.19-go iproute2 libc6-dev make mmdebstrap musl-tools
    openssh-client openssh-server openssl patchelf perl-base python3 python3-pip qemu-system-x86 rsync ruby skopeo sudo tcsh umoci
    user-mode-linux util-linux xz-utils zstd"
missing=
for package in $packages; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not installed:$missing; as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
apt-get -q update
# Servers that a package brings must not start here.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
