#!/bin/sh
# components.sh OUT: takes the programs of the hosts from OUT/bookworm and OUT/trixie into OUT/components/NAME/VERSION.
# The versions are part of the paths at which the programs will run: the specs have the same ones.
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# bundle SUITE NAME VERSION PROGRAM...
bundle() {
    root=$out/$1
    directory=$2/$3
    shift 3
    mkdir -p "$work/$directory"
    "$here/bundle.sh" "$root" "$work/$directory" "/opt/kubewright/$directory" "$@"
}

bundle bookworm etcd 3.4.23 usr/bin/etcd usr/bin/etcdctl
bundle trixie etcd 3.5.16 usr/bin/etcd usr/bin/etcdctl usr/bin/etcdutl
bundle bookworm containerd 1.6.20 usr/bin/containerd usr/bin/containerd-shim-runc-v2 usr/bin/ctr
bundle trixie containerd 1.7.24 usr/bin/containerd usr/bin/containerd-shim-runc-v2 usr/bin/ctr
bundle bookworm runc 1.1.5 usr/sbin/runc
bundle trixie runc 1.1.15 usr/sbin/runc
cni=usr/lib/cni
bundle bookworm cni-plugins 1.1.1 $cni/bandwidth $cni/bridge $cni/firewall $cni/host-local $cni/loopback $cni/portmap $cni/ptp \
    $cni/static $cni/tuning

tools=host-tools/12.1
bundle bookworm host-tools 12.1 usr/sbin/xtables-nft-multi usr/sbin/ipset usr/sbin/ipvsadm usr/sbin/conntrack usr/bin/ip \
    usr/bin/mount usr/bin/umount usr/bin/nsenter usr/bin/socat usr/sbin/ethtool usr/bin/kmod
for name in modprobe lsmod insmod rmmod modinfo depmod; do ln -s kmod "$work/$tools/bin/$name"; done
# iptables looks for its matches and targets in the directory of the distribution, unless told otherwise.
mkdir "$work/$tools/libexec"
mv "$work/$tools/bin/xtables-nft-multi" "$work/$tools/libexec/"
cp -r "$out/bookworm/usr/lib/x86_64-linux-gnu/xtables" "$work/$tools/lib/xtables"
cat >"$work/$tools/bin/xtables-nft" <<END
#!/bin/sh
export XTABLES_LIBDIR=/opt/kubewright/$tools/lib/xtables
exec /opt/kubewright/$tools/libexec/xtables-nft-multi "\${0##*/}" "\$@"
END
chmod 0755 "$work/$tools/bin/xtables-nft"
for name in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -s xtables-nft "$work/$tools/bin/$name$suffix"; done
done
rm -rf "$out/components"
mv "$work" "$out/components"
