#!/bin/sh
# Turns a minimal Debian into the disk of a lab host; run by mmdebstrap with the root directory as its argument.
set -eu
root=$1
here=$(dirname "$0")

# The modules of the kernel that will run it.
mkdir -p "$root/usr/lib/modules"
cp -r "$LAB_MODULES/." "$root/usr/lib/modules/"
for kernel in "$root"/usr/lib/modules/*; do chroot "$root" depmod "${kernel##*/}"; done

install -D -m 0755 "$here/init.sh" "$root/usr/lib/lab-host/init"

# Identity is the seed's business. An empty machine-id, unlike a missing one, does not make systemd apply presets.
: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*_key* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
echo '# This network has no name server.' >"$root/etc/resolv.conf"
: >"$root/etc/apt/sources.list"
: >"$root/etc/fstab"

# Logins beside root: one that becomes root freely, one that sudo asks for a password.
for user in ops:1000 opspw:1001; do
    chroot "$root" useradd --create-home --shell /bin/bash --groups sudo --uid "${user#*:}" "${user%:*}"
done
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"

mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >"$root/etc/systemd/journald.conf.d/lab.conf"

# Starting a host takes as long as starting its programs, which is slow on this kernel: leave out what no cluster needs.
chroot "$root" systemctl --quiet enable systemd-networkd.service ssh.service
chroot "$root" systemctl --quiet disable systemd-networkd-wait-online.service
chroot "$root" systemctl --quiet set-default multi-user.target
chroot "$root" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    getty.target getty@.service console-getty.service serial-getty@.service \
    modprobe@.service sys-kernel-config.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
    systemd-journal-flush.service systemd-network-generator.service systemd-pstore.service systemd-repart.service \
    systemd-random-seed.service systemd-remount-fs.service systemd-tmpfiles-clean.timer systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service

# Nothing was added to /usr since these were brought up to date.
touch "$root/etc/.updated" "$root/var/.updated"
