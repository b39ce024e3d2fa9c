#!/bin/sh
# The end-to-end run: real hosts in the lab, with the binary as it is shipped.
set -eu
cd "$(dirname "$0")/.."
cache=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}
KUBEWRIGHT_BIN="$PWD/target/x86_64-unknown-linux-musl/release/kubewright"
KUBEWRIGHT_IMAGE="$cache/images/debian-12"
# The message of a failed scenario says all; the stack of the test runner does not help.
export RUST_BACKTRACE=0
export KUBEWRIGHT_BIN KUBEWRIGHT_IMAGE KUBEWRIGHT_LAB_SUITE="${KUBEWRIGHT_LAB_SUITE:-test}"
exec cargo test --locked --no-fail-fast --test irq_host --test lab
