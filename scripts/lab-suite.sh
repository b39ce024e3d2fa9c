#!/bin/sh
# The end-to-end run: real hosts in the lab, with the binary as it is shipped. The images are there (see Makefile); those
# that are broken on purpose, and the program that asks while something is done to a cluster, are made here.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-musl
images=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/images
export KUBEWRIGHT_LAB_SUITE="${KUBEWRIGHT_LAB_SUITE:-test}"
export KUBEWRIGHT_BIN="$PWD/target/$target/release/kubewright"
export KUBEWRIGHT_IMAGE="$images/debian-12"

# Upgrades are among the long scenarios.
if [ "$KUBEWRIGHT_LAB_SUITE" = soak ]; then
    cargo build --locked --release --target "$target" --example prober
    cargo build --locked --example object_store --example objects --example writer
    examples=$PWD/target/debug/examples
    export KUBEWRIGHT_OBJECT_STORE="$examples/object_store" KUBEWRIGHT_OBJECTS="$examples/objects" KUBEWRIGHT_WRITER="$examples/writer"
    export KUBEWRIGHT_PROBER="$PWD/target/$target/release/examples/prober"
    export KUBEWRIGHT_IMAGE_NEXT="$images/debian-12-updates"
    export KUBEWRIGHT_IMAGE_MINOR="$images/debian-12-minor"
    for component in kube-apiserver kube-proxy kubelet etcd; do
        spec=$(images/debian-12/sabotage.sh "$component")
        "$KUBEWRIGHT_BIN" image build "$spec" -o "oci:$images/broken-$component" >/dev/null
    done
    export KUBEWRIGHT_IMAGE_BROKEN_APISERVER="$images/broken-kube-apiserver" KUBEWRIGHT_IMAGE_BROKEN_PROXY="$images/broken-kube-proxy"
    export KUBEWRIGHT_IMAGE_BROKEN_KUBELET="$images/broken-kubelet" KUBEWRIGHT_IMAGE_BROKEN_ETCD="$images/broken-etcd"
fi
# The message of a failed scenario says all; the stack of the test runner does not help.
export RUST_BACKTRACE=0
exec cargo test --locked --no-fail-fast --test irq_host --test lab --test lab_run
