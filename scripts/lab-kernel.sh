#!/bin/sh
# Builds the kernel of lab hosts out of Debian's kernel source into the cache: a user-mode Linux whose programs run under
# seccomp. Debian 12's own runs them under ptrace, where every page fault and process costs more than twice as much.
# Without this kernel a lab uses Debian's, and all is the same but slower. What is done is skipped.
set -eu
cd "$(dirname "$0")/.."
suite=trixie-backports
source=linux-source-7.2
cache=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}/lab
config=$PWD/scripts/lab-kernel.config
apt=$PWD/images/debian-12/apt.sh
mkdir -p "$cache"
digest=$(cat scripts/lab-kernel.sh "$config" | sha256sum | cut -c 1-16)
mark=$cache/kernel/.made-$digest
[ ! -e "$mark" ] || exit 0
exec 9>"$cache/.kernel-lock"
flock -n 9 || { echo "waiting for another run in $cache" >&2; flock 9; }
[ ! -e "$mark" ] || exit 0

find "$cache" -maxdepth 1 -type d -name 'kernel.??????' -exec rm -rf {} +
work=$(mktemp -d "$cache/kernel.XXXXXX")
log=$cache/kernel.log
exec 3>&2
# The log's end is shown by the trap: behind an `||`, the shell would go on after a step that failed.
trap 'code=$?; rm -rf "$work"; [ "$code" = 0 ] || tail -n 20 "$log" >&3' EXIT
echo "building the lab's kernel (once; about seven minutes on two cores); its log is $log" >&2
{
    (cd "$work" && "$apt" "$suite" "$work/apt" download "$source")
    dpkg-deb -x "$work/$source"_*.deb "$work/package"
    tar -C "$work" -xf "$work/package/usr/src/$source.tar.xz"
    rm -rf "$work/package" "$work/$source"_*.deb
    cd "$work/$source"
    make ARCH=um defconfig
    cat "$config" >>.config
    # Base images are told apart by the release of the kernel whose modules they hold.
    echo "CONFIG_LOCALVERSION=\"-lab-$digest\"" >>.config
    make ARCH=um olddefconfig
    # A feature whose name has changed would be missed much later, and without a word of it.
    grep -oE '^CONFIG_[A-Z0-9_]+=[ym]' "$config" | while read -r wanted; do
        grep -q "^$wanted\$" .config || { echo "the source has no $wanted" >&2; exit 1; }
    done
    make ARCH=um -j"$(nproc)" linux modules
    mkdir -p "$work/out"
    make ARCH=um INSTALL_MOD_PATH="$work/out" INSTALL_MOD_STRIP=1 modules_install
    strip -o "$work/out/linux.uml" linux
    mv "$work/out/lib/modules" "$work/out/modules"
    # Links into the source, which is about to go.
    find "$work/out/modules" -maxdepth 2 -type l -exec rm {} +
    "$work/out/linux.uml" --version
} >"$log" 2>&1
touch "$work/out/$(basename "$mark")"
rm -rf "$cache/kernel"
mv "$work/out" "$cache/kernel"
