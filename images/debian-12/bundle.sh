#!/bin/sh
# bundle.sh ROOT OUT PREFIX PROGRAM...: copies programs of ROOT to OUT/bin, and all of their libraries and the loader to
# OUT/lib. They will run at PREFIX, on any distribution: nothing but the kernel is taken from the host.
# Loader and library path are written into the programs. A wrapper script would not do: runc and the shim of containerd
# execute /proc/self/exe, which would be the loader, and runc does so from a copy in memory, where $ORIGIN means nothing.
set -eu
root=$1
out=$2
prefix=$3
shift 3
libraries=$root/usr/lib/x86_64-linux-gnu
loader=ld-linux-x86-64.so.2
mkdir -p "$out/bin" "$out/lib"
install -m 0755 "$libraries/$loader" "$out/lib/$loader"
for program; do
    name=$(basename "$program")
    install -m 0755 "$root/$program" "$out/bin/$name"
    patchelf --set-interpreter "$prefix/lib/$loader" --force-rpath --set-rpath "$prefix/lib" "$out/bin/$name"
    "$libraries/$loader" --library-path "$libraries" --list "$root/$program" >"$out/list"
    if grep 'not found' "$out/list" >&2; then
        echo "bundle.sh: $program needs a library that no unpacked package brings: add the package to debian-12.sh" >&2
        exit 1
    fi
    # "libc.so.6 => ROOT/usr/lib/x86_64-linux-gnu/libc.so.6 (0x…)": copied under the name by which it is asked for.
    awk '$1 !~ /^\// && $2 == "=>" {print $1, $3}' "$out/list" | while read -r library file; do
        [ -e "$out/lib/$library" ] || install -m 0755 "$file" "$out/lib/$library"
    done
    rm "$out/list"
done
