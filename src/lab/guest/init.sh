#!/bin/sh
# Process 1 of a lab host for its first half second; then systemd. Working before systemd means that host name,
# machine id, keys and network settings are in place before anything reads them, and that no unit of the lab's own
# shows up on what is meant to be a bare host.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "lab-host: $*" >/dev/console; }

mountpoint -q /proc || mount -t proc -o nosuid,nodev,noexec proc /proc
mountpoint -q /dev || mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev
mountpoint -q /run || mount -t tmpfs -o mode=0755,nosuid,nodev,size=20% tmpfs /run

# This kernel prints no clock rate, and programs that read one (cAdvisor in the kubelet) fail without.
sed 's/^bogomips.*/cpu MHz\t\t: 2300.000\n&/' /proc/cpuinfo >/run/cpuinfo && mount --bind /run/cpuinfo /proc/cpuinfo ||
    say "cannot add the clock rate to /proc/cpuinfo"

# The host's identity comes on its second disk. Applied once: afterwards /etc belongs to the host.
if [ ! -e /var/lib/lab-host/seeded ]; then
    if tar -x -p --no-overwrite-dir -C / -f /dev/ubdb; then
        [ ! -e /run/lab-host/passwords ] || chpasswd -c SHA512 </run/lab-host/passwords || say "cannot set the passwords"
        rm -rf /run/lab-host
        mkdir -p /var/lib/lab-host && touch /var/lib/lab-host/seeded && sync
    else
        say "cannot read the seed from /dev/ubdb"
    fi
fi

exec /sbin/init "$@"
