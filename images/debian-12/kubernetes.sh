#!/bin/sh
# Builds Kubernetes 1.20.2 from Debian's source package into $1. Needs golang-1.19-go, rsync, dpkg-dev.
# The binaries are static. $2 (optional) is another version stamp, for trying the upgrade path.
set -eu
out=$1
stamp=${2:-v1.20.2}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
done_mark="$out/.kubernetes-$stamp"
[ -e "$done_mark" ] && exit 0

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
"$here/apt.sh" bookworm "$out/apt" source --download-only kubernetes
"$here/apt.sh" bookworm "$out/apt" download golang-github-modern-go-reflect2-dev
dpkg-source --no-check -x kubernetes_*.dsc tree >/dev/null
dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2

# The vendored reflect2 1.0.1 crashes under Go 1.18 and later; Debian packages 1.0.2.
rm -rf tree/vendor/github.com/modern-go/reflect2
cp -r reflect2/usr/share/gocode/src/github.com/modern-go/reflect2 tree/vendor/github.com/modern-go/

mkdir -p tree/.go/src/k8s.io
ln -s "$work/tree" tree/.go/src/k8s.io/kubernetes
cd tree/.go/src/k8s.io/kubernetes
export PATH="/usr/lib/go-1.19/bin:$PATH" GOPATH="$work/tree/.go" GOCACHE="$out/go-cache"
export GOPROXY=off GO111MODULE=off CGO_ENABLED=0
export KUBE_GIT_VERSION="$stamp" KUBE_GIT_TREE_STATE=clean KUBE_GIT_COMMIT=0 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
make GOLDFLAGS="-s -w" WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet cmd/kube-proxy cmd/kubectl" >"$out/kubernetes.log" 2>&1 ||
    { tail -n 30 "$out/kubernetes.log" >&2; exit 1; }
gcc -static -Os -o "$work/pause" build/pause/linux/pause.c

mkdir -p "$out/$stamp"
install -m 0755 _output/bin/kube-apiserver _output/bin/kube-controller-manager _output/bin/kube-scheduler \
    _output/bin/kubelet _output/bin/kube-proxy _output/bin/kubectl "$work/pause" "$out/$stamp/"
touch "$done_mark"
