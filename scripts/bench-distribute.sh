#!/bin/sh
# Times how blobs get to 1, 8 and 32 hosts: sent from the bastion, and from host to host. Each host is a network and mount
# namespace with an sshd of its own; the links are shaped. Root; packages iproute2, openssh-server, openssh-client.
#
#   PROGRAM   examples/bench_distribute, built        UPLINK  the bastion's line, Mbit/s
#   MIB       blobs for each host                     LINK    each host's line, Mbit/s
#
# One machine does the work of all hosts: with faster lines its processors are what is measured.
set -eu
program=$(realpath "${PROGRAM:-target/x86_64-unknown-linux-musl/release/examples/bench_distribute}")
mib=${MIB:-32} uplink=${UPLINK:-100} link=${LINK:-500} blobs=${BLOBS:-16} most=${HOSTS:-32}
if [ -z "${BENCH_NAMESPACE:-}" ]; then
  BENCH_NAMESPACE=kwb$$ exec unshare --mount --propagation private "$0" "$@"
fi
id=$BENCH_NAMESPACE dir=$(mktemp -d)
started=
cleanup() {
  for pid in $started; do kill -9 "$pid" 2>/dev/null || :; done
  for n in b c $(seq "$most"); do ip netns del "$id-$n" 2>/dev/null || :; done
  umount "$dir" 2>/dev/null || umount -l "$dir" || :
  rmdir "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mount -t tmpfs tmpfs "$dir"

ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
cat > "$dir/sshd_config" <<END
HostKey $dir/host
AuthorizedKeysFile $dir/key.pub
StrictModes no
UsePAM no
UseDNS no
PidFile none
PermitRootLogin yes
MaxStartups 100
END
"$program" make "$dir" "$blobs" $((mib << 20))
sha=$(sha256sum "$program" | cut -d ' ' -f 1)
mkdir -p "$dir/bin/$sha"
cp "$program" "$dir/bin/$sha/kubewright"

# A host's line: both of its ends are shaped, its own and the switch's.
plug() { # NAMESPACE ADDRESS MBIT
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip -n "$1" link add eth0 type veth peer name "p${1##*-}" netns "$id-c"
  ip -n "$1" address add "$2/16" dev eth0
  ip netns exec "$1" tc qdisc add dev eth0 root tbf rate "$3mbit" burst 128k latency 50ms
  ip netns exec "$id-c" tc qdisc add dev "p${1##*-}" root tbf rate "$3mbit" burst 128k latency 50ms
  ip -n "$id-c" link set "p${1##*-}" master br0 up
  ip -n "$1" link set eth0 up
}
ip netns add "$id-c"
ip -n "$id-c" link add br0 type bridge
ip -n "$id-c" link set br0 up
plug "$id-b" 10.77.0.1 "$uplink"
for n in $(seq "$most"); do
  plug "$id-$n" "10.77.1.$n" "$link"
  mkdir -p "$dir/h$n/kubewright/bin"
  setpriv --pdeathsig KILL ip netns exec "$id-$n" unshare --mount --pid --fork --kill-child sh -ec "
    mount --make-rprivate /
    mount -t tmpfs tmpfs /run && mkdir /run/sshd
    mount --bind $dir/bin $dir/h$n/kubewright/bin
    mount --rbind $dir/h$n /var/lib
    exec /usr/sbin/sshd -D -e -f $dir/sshd_config" 2>> "$dir/sshd.log" &
  started="$started $!"
done
for n in $(seq "$most"); do
  tries=0
  until ip netns exec "$id-b" ssh-keyscan -T 2 "10.77.1.$n" 2>/dev/null | grep -q ed25519; do
    tries=$((tries + 1)); [ "$tries" -lt 100 ] || { cat "$dir/sshd.log"; exit 1; }
    sleep 0.1
  done
done

hosts() { for n in $(seq "$1"); do echo "r$((n % 4))=10.77.1.$n"; done; }
bound=$(awk "BEGIN { printf \"%.2f\", $mib * 8 * 1.048576 / $uplink }")
echo "$mib MiB for each host in $blobs blobs; bastion $uplink Mbit/s, hosts $link Mbit/s, 4 racks"
echo "once over the bastion's line: $bound s"
one=
for count in 1 8 32; do
  [ "$count" -le "$most" ] || continue
  for mode in push peers; do
    rm -rf "$dir"/h*/kubewright/blobs
    # shellcheck disable=SC2046
    result=$(ip netns exec "$id-b" "$program" run "$dir" "$mode" $(hosts "$count"))
    took=${result%% *}
    : "${one:=$took}"
    for n in $(seq "$count"); do
      [ "$(find "$dir/h$n/kubewright/blobs/sha256" -type f ! -name "*.part" | wc -l)" -eq "$blobs" ] || { echo "host $n lacks blobs"; exit 1; }
    done
    times=$(awk "BEGIN { printf \"%.1f\", $took / $one }")
    printf '%2s hosts  %-5s  %7s s  %5s times one host  (%s)\n' "$count" "$mode" "$took" "$times" "${result#* }"
  done
done
