#!/bin/sh
# Everything that must be green: format, lints, tests on this machine, and the end-to-end run in the lab.
# Ends with the number of tests that passed and failed.
set -u
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed_steps=0

step() {
    echo "== $*"
    # What a step prints is shown as it comes, and kept to count the tests in it.
    { "$@" 2>&1; echo "exit $?" >"$log.code"; } | tee -a "$log"
    [ "$(cat "$log.code")" = "exit 0" ] || failed_steps=$((failed_steps + 1))
    rm -f "$log.code"
}

step cargo fmt --check
step cargo clippy --locked --all-targets -- -D warnings
KUBEWRIGHT_HELM=$(scripts/helm.sh) || exit 1
export KUBEWRIGHT_HELM
KUBEWRIGHT_LAB_TESTS=1 step cargo test --locked --no-fail-fast
step scripts/lab-suite.sh

awk -v steps="$failed_steps" '
    /^test result:/ { passed += $4; failed += $6 }
    END {
        if (failed == 0) failed = steps
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0 || passed == 0
    }' "$log"
