#!/bin/sh
# Makes the component host-tools of the specs kubernetes-*.yaml out of Debian 12 packages, for the architecture of this
# machine, in the cache: host-tools/12.1/ARCH in $KUBEWRIGHT_CACHE, or ~/.cache/kubewright. For the other architecture,
# run it on a machine of that one, and bring its directory over.
# Programs run at /opt/kubewright/host-tools/12.1 with their own libraries: nothing but the kernel is the host's.
set -eu
version=12.1
here=$(cd "$(dirname "$0")" && pwd)
arch=$(dpkg --print-architecture)
case $arch in
amd64) triple=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
arm64) triple=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
*) echo "host-tools.sh: there are cluster images for amd64 and arm64 only, and this is $arch" >&2; exit 1 ;;
esac
command -v patchelf >/dev/null || { echo "patchelf is missing. Run: apt-get install patchelf" >&2; exit 1; }
out=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/host-tools/$version
prefix=/opt/kubewright/host-tools/$version
[ ! -d "$out/$arch" ] || exit 0
mkdir -p "$out"
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$here/debian-12/apt.sh" bookworm "$work/apt" install --download-only -y \
    iptables ipset ipvsadm conntrack iproute2 mount util-linux kmod socat ethtool >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }
root=$work/root
tools=$work/tools
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$tools/bin" "$tools/lib" "$tools/libexec"
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$root/$directory"; done
for deb in "$work"/apt/bookworm/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner --no-same-permissions -C "$root"
done

libraries=$root/usr/lib/$triple
install -m 0755 "$(readlink -f "$libraries/$loader")" "$tools/lib/$loader"
cp -r "$libraries/xtables" "$tools/lib/xtables"
for program in usr/sbin/xtables-nft-multi usr/sbin/ipset usr/sbin/ipvsadm usr/sbin/conntrack usr/bin/ip usr/bin/mount \
    usr/bin/umount usr/bin/nsenter usr/bin/socat usr/sbin/ethtool usr/bin/kmod; do
    name=$(basename "$program")
    install -m 0755 "$root/$program" "$tools/bin/$name"
    patchelf --set-interpreter "$prefix/lib/$loader" --force-rpath --set-rpath "$prefix/lib" "$tools/bin/$name"
    "$tools/lib/$loader" --library-path "$libraries" --list "$root/$program" >"$work/list"
    if grep 'not found' "$work/list" >&2; then echo "host-tools.sh: $program lacks a library" >&2; exit 1; fi
    # "libc.so.6 => ROOT/usr/lib/…/libc.so.6 (0x…)": copied under the name by which it is asked for.
    awk '$1 !~ /^\// && $2 == "=>" {print $1, $3}' "$work/list" | while read -r library file; do
        [ -e "$tools/lib/$library" ] || install -m 0755 "$file" "$tools/lib/$library"
    done
done
for name in modprobe lsmod insmod rmmod modinfo depmod; do ln -s kmod "$tools/bin/$name"; done
# iptables looks for its matches and targets in the directory of the distribution, unless told otherwise.
mv "$tools/bin/xtables-nft-multi" "$tools/libexec/"
cat >"$tools/bin/xtables-nft" <<END
#!/bin/sh
export XTABLES_LIBDIR=$prefix/lib/xtables
exec $prefix/libexec/xtables-nft-multi "\${0##*/}" "\$@"
END
chmod 0755 "$tools/bin/xtables-nft"
for name in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -s xtables-nft "$tools/bin/$name$suffix"; done
done
mv "$tools" "$out/$arch"
