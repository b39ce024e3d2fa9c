#!/bin/sh
# rootfs.sh OUT: makes the layers of the container images that need more than one program, in OUT/rootfs: busybox (a shell
# and its tools, static) and on top of it proxy-tools (what kube-proxy calls, with its libraries), and libraries (of haproxy
# and keepalived), haproxy, keepalived.
set -eu
out=$1
root=$out/bookworm
libraries=usr/lib/x86_64-linux-gnu
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

cd "$work"
mkdir -p busybox/usr/bin busybox/usr/sbin busybox/usr/lib busybox/usr/lib64 busybox/etc busybox/root busybox/tmp \
    busybox/run busybox/var/lib busybox/proc busybox/sys busybox/dev
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "busybox/$directory"; done
ln -s ../run busybox/var/run
# From Debian 13: the wget of Debian 12's crashes where it is given a timeout.
install -m 0755 "$out/trixie/usr/bin/busybox" busybox/usr/bin/busybox
for applet in $(busybox/usr/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "busybox/usr/bin/$applet"
done
printf '%s\n' root:x:0:0:root:/root:/bin/sh haproxy:x:99:99:haproxy:/var/lib/haproxy:/bin/false \
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false >busybox/etc/passwd
printf '%s\n' root:x:0: haproxy:x:99: nogroup:x:65534: >busybox/etc/group
echo "hosts: files dns" >busybox/etc/nsswitch.conf
# ipset looks the protocols of its entries up here: without, kube-proxy's sets stay empty, and a service does not answer
# the hosts themselves.
printf '%s\n' "tcp 6 TCP" "udp 17 UDP" "sctp 132 SCTP" "icmp 1 ICMP" "ipv6-icmp 58 IPv6-ICMP" >busybox/etc/protocols

# libraries LAYER PROGRAM...: puts the loader and the libraries of PROGRAMs into LAYER.
loader=ld-linux-x86-64.so.2
libraries() {
    layer=$1
    shift
    mkdir -p "$layer/$libraries" "$layer/usr/lib64"
    for program; do
        "$root/$libraries/$loader" --library-path "$root/$libraries" --list "$program"
    done | awk '$1 !~ /^\// && $2 == "=>" {print $1, $3}' | sort -u | while read -r library file; do
        install -m 0755 "$file" "$layer/$libraries/$library"
    done
    install -m 0755 "$root/$libraries/$loader" "$layer/$libraries/$loader"
    ln -s "../lib/x86_64-linux-gnu/$loader" "$layer/usr/lib64/$loader"
}

# These programs are in sbin, which is before bin in PATH: they win over busybox's.
mkdir -p proxy-tools/usr/sbin proxy-tools/$libraries haproxy/usr/sbin keepalived/usr/sbin
for name in xtables-nft-multi ipset ipvsadm conntrack; do install -m 0755 "$root/usr/sbin/$name" proxy-tools/usr/sbin/; done
install -m 0755 "$root/usr/bin/kmod" proxy-tools/usr/sbin/
cp -r "$root/$libraries/xtables" "proxy-tools/$libraries/xtables"
# Matches of iptables have needs of their own: "statistic" wants libm.
libraries proxy-tools proxy-tools/usr/sbin/* proxy-tools/$libraries/xtables/*.so
ln -s kmod proxy-tools/usr/sbin/modprobe
for name in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -s xtables-nft-multi "proxy-tools/usr/sbin/$name$suffix"; done
done

install -m 0755 "$root/usr/sbin/haproxy" haproxy/usr/sbin/
install -m 0755 "$root/usr/sbin/keepalived" keepalived/usr/sbin/
libraries libraries haproxy/usr/sbin/haproxy keepalived/usr/sbin/keepalived
rm -rf "$out/rootfs"
mv "$work" "$out/rootfs"
