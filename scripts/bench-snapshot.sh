#!/bin/sh
# Times a snapshot of a large etcd beside etcdctl's own. MIB: size of the data. The directory is on a disk, not in memory.
set -eu
cd "$(dirname "$0")/.."
dir=$(mktemp -d "${BENCH_DIR:-/var/tmp}/kubewright-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
target/release/examples/bench_snapshot "$dir" "${MIB:-1024}"
