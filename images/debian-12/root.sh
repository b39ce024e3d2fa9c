#!/bin/sh
# root.sh OUT SUITE PACKAGE...: unpacks Debian packages of SUITE, with all that they depend on, into OUT/SUITE.
# Nothing is configured and no maintainer script runs: only files are taken from it.
set -eu
out=$1
suite=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$out/$suite.log
"$here/apt.sh" "$suite" "$out/apt" install --download-only -y "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
mkdir -p "$work/none/partial"
"$here/apt.sh" "$suite" "$out/apt" install --print-uris -y -o Dir::Cache::Archives="$work/none" "$@" |
    awk '/^\047http/ {print $2}' >"$work/list"
[ -s "$work/list" ] || { echo "root.sh: apt-get names no packages to unpack: see $log" >&2; exit 1; }
cd "$work"
mkdir -p root/usr/bin root/usr/sbin root/usr/lib root/usr/lib64
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "root/$directory"; done
while read -r deb; do
    dpkg-deb --fsys-tarfile "$out/apt/$suite/cache/archives/$deb" |
        tar -x --keep-directory-symlink --no-same-owner --no-same-permissions -C root
done <list
rm -rf "${out:?}/$suite" root/usr/share/doc root/usr/share/man root/usr/share/locale
mv root "$out/$suite"
