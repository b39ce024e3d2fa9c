#!/bin/sh
# apt.sh SUITE STATE ARGS...: runs apt-get ARGS for SUITE, with the mirror and keys that this machine already uses,
# on package lists of its own in STATE, so that the machine's configuration stays as it is.
set -eu
suite=$1
state=$2/$suite
shift 2
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
# To apt, nothing is installed: dependencies are complete, whatever this machine has.
: >"$state/status"
run() {
    list=$1
    shift
    apt-get -q -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$state/lists" \
        -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false "$@"
}
update() {
    run "$1" update -o APT::Update::Error-Mode=any >"$state/update.log" 2>&1
}
if [ ! -e "$state/sources.list" ]; then
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ')
    [ -n "$mirror" ] || { echo "apt.sh: no Debian mirror in /etc/apt: add one to /etc/apt/sources.list" >&2; exit 1; }
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    {
        echo "deb [signed-by=$key] $mirror $suite main"
        echo "deb-src [signed-by=$key] $mirror $suite main"
    } >"$state/sources.list.new"
    update "$state/sources.list.new" || { cat "$state/update.log" >&2; exit 1; }
    mv "$state/sources.list.new" "$state/sources.list"
elif [ -n "$(find "$state/sources.list" -mtime +0)" ]; then
    # Lists of yesterday may name packages that are gone; without a network they still serve what is cached.
    if update "$state/sources.list"; then touch "$state/sources.list"; fi
fi
run "$state/sources.list" "$@"
