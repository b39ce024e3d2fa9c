#!/bin/sh
# sabotage.sh COMPONENT: makes COMPONENT of debian-12-updates anew, so that no host gets well with it, and prints the path of
# a spec in the cache that is like debian-12-updates but for that: what an upgrade does then is to be tried, too.
#   kube-apiserver  tells why, and exits
#   kube-proxy      the same
#   kubelet         lives and is healthy, but its node never gets Ready: it asks for the API where nobody listens
#   etcd            refuses the data directory, in etcd's own words, and exits
# Their version, and the tag of the image, end in "broken". Needs what debian-12.sh has made for debian-12-updates.
set -eu
component=$1
here=$(cd "$(dirname "$0")" && pwd)
out=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/debian-12
stamp=v1.20.2+deb12u1
mkdir -p "$out/broken"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
files=$work/files
mkdir -p "$files/bin"

case $component in
    kube-apiserver | kube-proxy)
        version=v1.20.2+broken
        source="program: [{file: debian-12/broken/$component/bin/$component, to: usr/local/bin/$component}]"
        # The container has no shell.
        cat >"$work/program.c" <<'END'
#include <stdio.h>
int main(void) {
    fputs("Error: [sabotaged: this " COMPONENT " tells why it does not start, and exits]\n", stderr);
    return 1;
}
END
        gcc -static -Os -DCOMPONENT="\"$component\"" -o "$files/bin/$component" "$work/program.c"
        ;;
    kubelet)
        version=v1.20.2+broken
        source="files: [{file: debian-12/broken/kubelet}]"
        cp "$out/$stamp/kubelet" "$files/bin/kubelet-proper"
        cat >"$files/bin/kubelet" <<'END'
#!/bin/sh
# Sabotaged: asks for the API where nobody listens.
set -eu
proper=${0%/*}/kubelet-proper
[ "$*" != --version ] || exec "$proper" --version
umask 077
sed 's|^\( *server:\).*|\1 https://127.0.0.1:1|' /etc/kubernetes/kubelet.conf >/run/kubelet-sabotaged.conf
exec "$proper" "$@" --kubeconfig=/run/kubelet-sabotaged.conf
END
        chmod 0755 "$files/bin/kubelet"
        ;;
    etcd)
        version=3.5.16+broken
        source="files: [{file: debian-12/broken/etcd}]"
        "$here/bundle.sh" "$out/trixie" "$files" "/opt/kubewright/etcd/$version" usr/bin/etcdctl usr/bin/etcdutl
        cat >"$files/bin/etcd" <<'END'
#!/bin/sh
# Sabotaged: what etcd 3.5.16 says of data that a later minor has written, in the form of its log.
[ "$*" != --version ] || { echo "etcd Version: 3.5.16"; exit 0; }
log() {
    printf '{"level":"%s","ts":"%s","caller":"%s","msg":"%s"%s}\n' "$1" "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" "$2" "$3" "$4" >&2
}
log info etcdmain/etcd.go:116 "server has been already initialized" ',"data-dir":"/var/lib/etcd","dir-type":"member"'
log fatal membership/downgrade.go:60 "invalid downgrade; server version is lower than determined cluster version" \
    ',"current-server-version":"3.5.16","determined-cluster-version":"3.6"'
exit 1
END
        chmod 0755 "$files/bin/etcd"
        ;;
    *) echo "sabotage.sh: $component is none of kube-apiserver, kube-proxy, kubelet, etcd" >&2; exit 64 ;;
esac

# Within the component alone: its version, its tag (where a "+" cannot be), and where its files come from.
tag=$(echo "$version" | tr + -)
awk -v component="$component" -v version="$version" -v tag="$tag" -v source="$source" '
    /^name: / { print "name: debian-12-broken-" component; next }
    /^  - name: / { here = $3 == component }
    here && /^    version: / { print "    version: " version; changed++; next }
    here && /- reference: / { sub(/:[^:]*$/, ":" tag) }
    here && /^ *(files|program): / { match($0, /^ */); print substr($0, 1, RLENGTH) source; changed++; next }
    { print }
    END { exit changed != 2 }
' "$here/../debian-12-updates.yaml" >"$work/spec.yaml"
rm -rf "$out/broken/$component"
mv "$files" "$out/broken/$component"
mv "$work/spec.yaml" "$out/broken/$component.yaml"
echo "$out/broken/$component.yaml"
