#!/bin/sh
# build.sh [FILE]: makes a box of Debian 12 for Vagrant and libvirt out of Debian's packages, without a box of anybody else:
# FILE, or kubewright-debian-12.box in the cache ($KUBEWRIGHT_CACHE, or ~/.cache/kubewright). Does nothing where the same
# one is there. Needs root, and what scripts/packages.sh and qemu-utils, grub-common and grub-pc-bin bring.
#   vagrant box add --name kubewright/debian-12 FILE
set -eu
self=$(realpath "$0")
suite=bookworm
disk_size=20      # GiB; takes space as it is used
packages=systemd-sysv,udev,dbus,kmod,procps,iproute2,openssh-server,sudo,systemd-timesyncd,systemd-resolved,xfsprogs,lvm2
packages=$packages,initramfs-tools,linux-image-cloud-amd64
grub=/usr/lib/grub/i386-pc

# Run by mmdebstrap before it installs anything: the initial disk gets the drivers of the root disk and no more.
prepare() {
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
    echo MODULES=list >"$1/etc/initramfs-tools/conf.d/box"
    printf '%s\n' virtio_pci virtio_blk virtio_scsi sd_mod ext4 >"$1/usr/share/initramfs-tools/modules.d/box"
}

# Run by mmdebstrap at the end.
customize() {
    mkdir -p "$1/boot/grub"
    cat >"$1/boot/grub/grub.cfg" <<'END'
linux /vmlinuz root=LABEL=root ro net.ifnames=0 console=tty0 console=ttyS0 quiet
initrd /initrd.img
boot
END
    echo 'LABEL=root / ext4 errors=remount-ro 0 1' >"$1/etc/fstab"
    echo debian >"$1/etc/hostname"
    ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
    : >"$1/etc/machine-id"
    # The first card is Vagrant's, and has its name server; the others are those of the Vagrantfile.
    printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' >"$1/etc/systemd/network/80-dhcp.network"
    rm -f "$1"/etc/ssh/ssh_host_*
    cat >"$1/etc/systemd/system/ssh-host-key.service" <<'END'
[Unit]
Description=A host key of its own for each machine made of this box
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
[Install]
WantedBy=ssh.service
END
    echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >"$1/etc/ssh/sshd_config.d/box.conf"
    echo 'UseDNS no' >>"$1/etc/ssh/sshd_config.d/box.conf"
    chroot "$1" useradd --create-home --shell /bin/bash vagrant
    echo 'vagrant ALL=(ALL:ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/vagrant"
    chmod 0440 "$1/etc/sudoers.d/vagrant"
    # The key that Vagrant knows: its documentation has it, and says what boxes are to do with it.
    mkdir -m 0700 "$1/home/vagrant/.ssh"
    cp "$(dirname "$self")/vagrant.pub" "$1/home/vagrant/.ssh/authorized_keys"
    chmod 0600 "$1/home/vagrant/.ssh/authorized_keys"
    chroot "$1" chown -R vagrant:vagrant /home/vagrant/.ssh
    chroot "$1" systemctl --quiet enable systemd-networkd.service ssh.service ssh-host-key.service
    chroot "$1" systemctl --quiet mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
        dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
}

# The boot sector, and GRUB's core in the gap behind it: boot.img looks for it in sector 1, where it finds it.
# No device, loop or mount is needed for that.
bootloader() {
    grub-mkimage --format i386-pc --directory "$grub" --prefix '(hd0,msdos1)/boot/grub' --output "$2/core.img" \
        biosdisk part_msdos ext2 normal linux minicmd
    [ "$(stat -c %s "$2/core.img")" -lt $((2047 * 512)) ] || { echo "GRUB is too large" >&2; exit 1; }
    dd if="$grub/boot.img" of="$1" bs=440 count=1 conv=notrunc status=none
    dd if="$2/core.img" of="$1" bs=512 seek=1 conv=notrunc status=none
}

image() {
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ')
    # Mounts that mmdebstrap makes go with the mount namespace, even if it is killed.
    unshare --mount --propagation private mmdebstrap --variant=minbase --include="$packages" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --setup-hook="'$self' prepare \"\$1\"" --customize-hook="'$self' customize \"\$1\"" \
        "$suite" "$1/root" ${mirror:+"$mirror"}
    truncate -s "${disk_size}G" "$1/disk"
    mke2fs -q -t ext4 -L root -m 1 -E offset=1048576,lazy_itable_init=0,lazy_journal_init=0 -d "$1/root" "$1/disk" \
        "$((disk_size * 1024 - 2))M"
    echo 'start=1MiB, type=83, bootable' | sfdisk --quiet --label dos "$1/disk"
    bootloader "$1/disk" "$1"
    mkdir "$1/box"
    qemu-img convert -c -f raw -O qcow2 "$1/disk" "$1/box/box.img"
    echo "{\"provider\": \"libvirt\", \"format\": \"qcow2\", \"virtual_size\": $disk_size}" >"$1/box/metadata.json"
    echo 'Vagrant.configure("2") { |config| config.vm.guest = :debian }' >"$1/box/Vagrantfile"
    tar -cf "$1/made.box" -C "$1/box" metadata.json Vagrantfile box.img
}

case ${1:-} in
prepare | customize) "$@"; exit ;;
esac

cache=${KUBEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubewright}
box=$(realpath -m "${1:-$cache/kubewright-debian-12.box}")
digest=$(cat "$self" "$(dirname "$self")/vagrant.pub" | sha256sum | cut -c 1-16)
if [ -e "$box" ] && [ "$(cat "$box.made-of" 2>/dev/null)" = "$digest" ]; then exit 0; fi
missing=
for program in mmdebstrap mke2fs sfdisk qemu-img grub-mkimage; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -e "$grub/boot.img" ] || missing="$missing $grub/boot.img"
[ -z "$missing" ] || {
    echo "Not here:$missing. Run: apt-get install mmdebstrap e2fsprogs fdisk qemu-utils grub-common grub-pc-bin" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || { echo "build.sh: run it as root, for the owners of files in the box" >&2; exit 1; }
mkdir -p "$(dirname "$box")"
work=$(mktemp -d "$box.XXXXXX")
log=$box.log
exec 3>&2
trap 'code=$?; rm -rf "$work"; [ "$code" = 0 ] || { tail -n 20 "$log" >&3; echo "all of it is in $log" >&3; }' EXIT
trap 'exit 1' HUP INT TERM
echo "making $box (once; about two minutes); its log is $log" >&2
image "$work" >"$log" 2>&1
mv "$work/made.box" "$box"
echo "$digest" >"$box.made-of"
