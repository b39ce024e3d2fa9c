#!/bin/sh
# Fetches and builds everything that debian-12.yaml names, out of Debian packages, into the cache:
# $KUBEWRIGHT_CACHE, or ~/.cache/kubewright. What is done is skipped; an interrupted run is simply started again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)/debian-12
out=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/debian-12

missing=
for package in golang-1.19-go gcc libc6-dev make rsync dpkg-dev patchelf debian-archive-keyring util-linux; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] || { echo "Packages are missing. Run: apt-get install$missing" >&2; exit 1; }

mkdir -p "$out"
exec 9>"$out/.lock"
flock -n 9 || { echo "Waiting for another run in $out" >&2; flock 9; }
# What an interrupted run left behind.
find "$out" -maxdepth 1 -type d -name 'work.??????' -exec rm -rf {} +

# step NAME SCRIPTS...: runs the first of SCRIPTS, unless it has succeeded before with these very scripts.
step() {
    name=$1
    shift
    mark=$out/.$name-$(cat "$@" | sha256sum | cut -c 1-16)
    [ ! -e "$mark" ] || return 0
    echo "$name" >&2
    "$1" "$out"
    rm -f "$out/.$name"-*
    touch "$mark"
}

"$here/kubernetes.sh" "$out"
step root "$here/root.sh"
step components "$here/components.sh" "$here/bundle.sh" "$here/root.sh"
step rootfs "$here/rootfs.sh" "$here/root.sh"
