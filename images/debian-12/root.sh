#!/bin/sh
# root.sh OUT: unpacks the Debian packages that hold the programs, with all that they depend on, into OUT/root.
# Nothing is configured and no maintainer script runs: only files are taken from it.
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)
packages="containerd=1.6.20* runc=1.1.5* containernetworking-plugins=1.1.1* haproxy=2.6.12* keepalived=1:2.2.7* \
    iptables ipset ipvsadm conntrack iproute2 mount util-linux kmod socat ethtool"

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086
"$here/apt.sh" bookworm "$out/apt" install --download-only -y $packages >"$out/root.log" 2>&1 ||
    { tail -n 20 "$out/root.log" >&2; exit 1; }
mkdir -p "$work/none/partial"
# shellcheck disable=SC2086
"$here/apt.sh" bookworm "$out/apt" install --print-uris -y -o Dir::Cache::Archives="$work/none" $packages |
    awk '/^\047http/ {print $2}' >"$work/list"
[ -s "$work/list" ] || { echo "root.sh: apt-get names no packages to unpack: see $out/root.log" >&2; exit 1; }
cd "$work"
mkdir -p root/usr/bin root/usr/sbin root/usr/lib root/usr/lib64 trixie
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "root/$directory"; done
while read -r deb; do
    dpkg-deb --fsys-tarfile "$out/apt/bookworm/cache/archives/$deb" |
        tar -x --keep-directory-symlink --no-same-owner --no-same-permissions -C root
done <list

# From Debian 13: etcd 3.5, which needs no more than the C library of Debian 12, and a busybox whose wget has timeouts
# that work (that of Debian 12 crashes on -T).
(cd trixie && "$here/apt.sh" trixie "$out/apt" download etcd-server=3.5.16* etcd-client=3.5.16* \
    busybox-static=1:1.37.0* >>"$out/root.log" 2>&1) || { tail -n 20 "$out/root.log" >&2; exit 1; }
for deb in trixie/*.deb; do dpkg-deb -x "$deb" trixie; done
for name in etcd etcdctl etcdutl busybox; do install -m 0755 "trixie/usr/bin/$name" root/usr/bin/; done
rm -rf "$out/root" root/usr/share/doc root/usr/share/man root/usr/share/locale
mv root "$out/root"
