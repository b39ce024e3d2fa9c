#!/bin/sh
# What 200 hosts cost the machine that runs kubewright: validate, plan, and the view of its progress on terminals of two
# sizes. The hosts are 200 addresses of one sshd, in namespaces of their own: each has a session and an agent, and all of
# them see this machine. Nothing is changed but what agents put below /var/lib, which is memory here.
set -eu
cd "$(dirname "$0")/.."
kubewright=$PWD/target/x86_64-unknown-linux-musl/release/kubewright
image=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/images/debian-12
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/user"
cat >"$work/sshd_config" <<END
HostKey $work/host
AuthorizedKeysFile $work/user.pub
StrictModes no
PidFile none
UsePAM no
PermitRootLogin yes
MaxStartups 500
END
cat >"$work/cluster.yaml" <<END
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: hub}
spec:
  image: oci:$image
  ssh: {user: root, identityFile: $work/user, hostKeys: ["$(cut -d' ' -f1,2 "$work/host.pub")"]}
  hosts:
    - {name: "m[1-3]", address: "10.200.0.[1-3]", roles: [control-plane, etcd], idc: bj1, rack: "r[1-3]"}
END
for rack in 1 2 3 4 5 6 7 8 9 10; do
    last=$([ "$rack" = 10 ] && echo 17 || echo 20)
    echo "    - {name: \"n$rack-[1-$last]\", address: \"10.200.$rack.[1-$last]\", roles: [worker], idc: bj$((rack % 2 + 1)), rack: r$rack}"
done >>"$work/cluster.yaml"

# systemd as it is where no unit of ours is yet: this machine's own may not run, and is none of the hosts' anyway.
cat >"$work/systemctl" <<'END'
#!/bin/sh
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
for unit in "$@"; do
    [ "$unit" = -- ] || printf 'Id=%s\nNames=%s\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\n' "$unit" "$unit"
done
END
chmod 0755 "$work/systemctl"

export work kubewright
export KUBEWRIGHT_INVENTORY="$work/cluster.yaml" KUBEWRIGHT_STATE_DIR="$work/state"
unshare --mount --net --pid --fork --kill-child --mount-proc sh -eu -c '
    mount --make-rprivate /
    # What is mounted below a directory that is hidden could not be looked at.
    umount -R /run/netns 2>/dev/null || :
    for directory in /run /var/lib; do mount -t tmpfs tmpfs $directory; done
    mkdir -p /run/sshd /run/systemd/system
    mount --bind "$work/systemctl" "$(command -v systemctl)"
    ip link set lo up
    "$kubewright" hosts -o json | sed -n "s/.*\"address\": \"\(.*\)\".*/addr add \1\/16 dev lo/p" | ip -batch -
    # What agents do is the work of other machines: it must not stand in the way of what is measured.
    nice -n 19 /usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
    python3 scripts/bench_hub.py "$kubewright"
'
