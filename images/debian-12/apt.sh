#!/bin/sh
# apt.sh SUITE STATE ARGS...: runs apt-get ARGS for SUITE, with the mirror and keys that this machine already uses,
# on package lists of its own in STATE, so that the machine's configuration stays as it is.
set -eu
suite=$1
state=$2/$suite
shift 2
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
if [ ! -e "$state/sources.list" ]; then
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ')
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    {
        echo "deb [signed-by=$key] $mirror $suite main"
        echo "deb-src [signed-by=$key] $mirror $suite main"
    } >"$state/sources.list.new"
fi
run() {
    list=$1
    shift
    apt-get -q -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$state/lists" \
        -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root "$@"
}
if [ ! -e "$state/sources.list" ]; then
    run "$state/sources.list.new" update >"$state/update.log" 2>&1 || { cat "$state/update.log" >&2; exit 1; }
    mv "$state/sources.list.new" "$state/sources.list"
fi
run "$state/sources.list" "$@"
