#!/bin/sh
# demo.sh LAB: boots five hosts, installs a cluster on them, and shows that it works.
set -eu
cd "$(dirname "$0")/.."
lab=$1
kubewright=$PWD/target/x86_64-unknown-linux-musl/release/kubewright
in_lab() { "$kubewright" lab exec --name "$lab" -- "$@"; }

"$kubewright" lab up --name "$lab" --masters 3 --workers 2
in_lab kubewright install
in_lab sh -c 'kubewright kubeconfig --to "$KUBECONFIG"'
in_lab kubectl apply -f scripts/demo.yaml
in_lab kubectl rollout status deployment/hello --timeout=180s
echo; in_lab kubectl get nodes -o wide --show-labels
echo; in_lab kubectl get pods -A -o wide
service=$(in_lab kubectl get service hello -o 'jsonpath={.spec.clusterIP}')
from=$(in_lab kubectl get pods -l app=visitor -o 'jsonpath={.items[0].metadata.name}')
echo; echo "from the pod $from, through the service address $service:"
in_lab kubectl wait --for=condition=Ready pod -l app=visitor --timeout=120s
in_lab kubectl exec "$from" -- /bin/busybox wget -q -O - "http://$service/"
echo; echo "virtual servers on n1:"
"$kubewright" lab ssh n1 --name "$lab" -- 'PATH=$PATH:$(echo /opt/kubewright/host-tools/*/bin) ipvsadm -Ln'
cat <<END

The lab stays up. A shell inside it, with kubectl and kubeconfig:
    $kubewright lab exec --name $lab -- sh
Remove it:
    make demo-down
END
