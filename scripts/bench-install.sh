#!/bin/sh
# bench-install.sh [MASTERS [WORKERS]]: installs on bare lab hosts, with the image already built, and prints the time
# of each stage, of the whole, and of a second run that changes nothing.
set -eu
cd "$(dirname "$0")/.."
masters=${1:-3}
workers=${2:-2}
kubewright=$PWD/target/x86_64-unknown-linux-musl/release/kubewright
lab=bench$$
log=$(mktemp)
trap '"$kubewright" lab down --name "$lab" >/dev/null; rm -f "$log"' EXIT

"$kubewright" lab up --name "$lab" --masters "$masters" --workers "$workers" 2>/dev/null
install() { "$kubewright" lab exec --name "$lab" -- kubewright install -o json >"$log"; }
figures() {
    python3 -c '
import json, sys
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["event"] == "stage-finished":
        print("  %-14s %6.1f s  %4d changed" % (event["stage"], event["took"], event["changed"]))
    elif event["event"] == "run-finished":
        print("  %-14s %6.1f s  %4d changed" % ("whole run", event["took"], event["changed"]))
' "$log"
}
echo "install on $masters+$workers bare hosts"
install
figures
echo "again"
install
figures
