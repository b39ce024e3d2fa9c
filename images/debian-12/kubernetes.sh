#!/bin/sh
# kubernetes.sh OUT STAMP...: builds Kubernetes 1.20.2 from Debian's source package into OUT/STAMP; the binaries are static.
# v1.20.2 is what upstream has released; with any other stamp Debian's patches are in it, too (all of them are in kubectl).
# A stamp is what the programs tell of themselves: it makes no other Kubernetes of them.
# What is built is skipped. All builds have the same paths and Go's cache in common, so that the second one mostly links.
set -eu
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
digest=$(sha256sum <"$here/kubernetes.sh" | cut -c 1-16)
stamps=
for stamp in $(printf '%s\n' "$@" | sort); do
    [ -e "$out/.kubernetes-$stamp-$digest" ] || stamps="$stamps $stamp"
done
[ -n "$stamps" ] || exit 0

# Not a name of its own for each run: the path of a source is part of what Go's cache goes by.
work=$out/work.kubernetes
trap 'rm -rf "$work"' EXIT
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$here/apt.sh" bookworm "$out/apt" source --download-only kubernetes
"$here/apt.sh" bookworm "$out/apt" download golang-github-modern-go-reflect2-dev
dpkg-source --no-check --skip-patches -x kubernetes_*.dsc tree >/dev/null
dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2

# The vendored reflect2 1.0.1 crashes under Go 1.18 and later; Debian packages 1.0.2.
rm -rf tree/vendor/github.com/modern-go/reflect2
cp -r reflect2/usr/share/gocode/src/github.com/modern-go/reflect2 tree/vendor/github.com/modern-go/

mkdir -p tree/.go/src/k8s.io
ln -s "$work/tree" tree/.go/src/k8s.io/kubernetes
cd tree/.go/src/k8s.io/kubernetes
export PATH="/usr/lib/go-1.19/bin:$PATH" GOPATH="$work/tree/.go"
export GOPROXY=off GO111MODULE=off CGO_ENABLED=0
# The same sources give the same bytes.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
# Variables of the environment would be overruled by the version that upstream has left in its release.
export SOURCE_DATE_EPOCH KUBE_GIT_VERSION_FILE="$work/version"

gcc -static -Os -o "$work/pause" build/pause/linux/pause.c
install -m 0755 "$work/pause" "$out/pause"
# The build of upstream has its cache here, whatever the environment says.
mkdir -p "$out/go-cache" _output/local/go
ln -s "$out/go-cache" _output/local/go/cache
for stamp in $stamps; do
    echo "kubernetes $stamp" >&2
    [ "$stamp" = v1.20.2 ] || dpkg-source --before-build "$work/tree" >/dev/null
    minor=${stamp#v1.}
    cat >"$KUBE_GIT_VERSION_FILE" <<END
KUBE_GIT_VERSION='$stamp'
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=${minor%%.*}
KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56
KUBE_GIT_TREE_STATE=archive
END
    make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet cmd/kube-proxy cmd/kubectl" \
        >"$out/kubernetes.log" 2>&1 || { tail -n 30 "$out/kubernetes.log" >&2; exit 1; }

    mkdir -p "$out/$stamp"
    install -m 0755 _output/bin/kube-apiserver _output/bin/kube-controller-manager _output/bin/kube-scheduler \
        _output/bin/kubelet _output/bin/kube-proxy _output/bin/kubectl "$out/$stamp/"
    touch "$out/.kubernetes-$stamp-$digest"
done
