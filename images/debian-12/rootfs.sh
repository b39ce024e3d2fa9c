#!/bin/sh
# rootfs.sh OUT: makes the layers of the container images that need more than one program, in OUT/rootfs:
# busybox (a shell and its tools, static), base (libraries, iptables, ipset, …; on top of busybox), haproxy, keepalived.
set -eu
out=$1
root=$out/root
libraries=usr/lib/x86_64-linux-gnu
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

cd "$work"
mkdir -p busybox/usr/bin busybox/usr/sbin busybox/usr/lib busybox/usr/lib64 busybox/etc busybox/root busybox/tmp \
    busybox/run busybox/var/lib busybox/proc busybox/sys busybox/dev
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "busybox/$directory"; done
ln -s ../run busybox/var/run
install -m 0755 "$root/usr/bin/busybox" busybox/usr/bin/busybox
for applet in $("$root/usr/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "busybox/usr/bin/$applet"
done
printf '%s\n' root:x:0:0:root:/root:/bin/sh haproxy:x:99:99:haproxy:/var/lib/haproxy:/bin/false \
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false >busybox/etc/passwd
printf '%s\n' root:x:0: haproxy:x:99: nogroup:x:65534: >busybox/etc/group
echo "hosts: files dns" >busybox/etc/nsswitch.conf

# The programs of the base are in sbin, which is before bin in PATH: they win over busybox's.
tools="xtables-nft-multi ipset ipvsadm conntrack"
mkdir -p base/usr/sbin base/$libraries base/usr/lib64 haproxy/usr/sbin keepalived/usr/sbin
for name in $tools; do install -m 0755 "$root/usr/sbin/$name" base/usr/sbin/; done
install -m 0755 "$root/usr/bin/kmod" "$root/usr/bin/ip" base/usr/sbin/
ln -s kmod base/usr/sbin/modprobe
for name in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -s xtables-nft-multi "base/usr/sbin/$name$suffix"; done
done
cp -r "$root/$libraries/xtables" "base/$libraries/xtables"
install -m 0755 "$root/usr/sbin/haproxy" haproxy/usr/sbin/
install -m 0755 "$root/usr/sbin/keepalived" keepalived/usr/sbin/
loader=ld-linux-x86-64.so.2
for program in base/usr/sbin/* haproxy/usr/sbin/* keepalived/usr/sbin/*; do
    "$root/$libraries/$loader" --library-path "$root/$libraries" --list "$program"
done | awk '$1 !~ /^\// && $2 == "=>" {print $1, $3}' | sort -u | while read -r library file; do
    install -m 0755 "$file" "base/$libraries/$library"
done
install -m 0755 "$root/$libraries/$loader" "base/$libraries/$loader"
ln -s ../lib/x86_64-linux-gnu/$loader "base/usr/lib64/$loader"
rm -rf "$out/rootfs"
mv "$work" "$out/rootfs"
