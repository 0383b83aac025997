# SPDX-License-Identifier: Apache-2.0
# Making a Debian disk image without mounting anything: mmdebstrap fills a folder, mke2fs puts the folder into a raw file.
# Sourced by image-build/guest and image-build/host after lib.sh. An image is a folder of the cache:
#   disk.raw   one ext4 file system, no partition table, sparse
#   vmlinuz vmlinux initrd.img   the image's own kernel, packed (bzImage) and as the ELF file inside it, for direct boot
#   cmdline    the kernel command line it boots with

# Services that only make the start of a machine longer that lives for hours and is made anew.
image_masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
    systemd-networkd-wait-online.service systemd-pcrphase.service ldconfig.service systemd-hwdb-update.service
    systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-journal-catalog-update.service systemd-update-done.service
    systemd-journal-flush.service dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount
    modprobe@efi_pstore.service modprobe@configfs.service systemd-network-generator.service
    systemd-udev-load-credentials.service systemd-remount-fs.service getty@tty1.service keyboard-setup.service console-setup.service)

# image_find NAME SCRIPT FILE...: the image's folder in the cache, named by a hash of everything it is made from: its package
# list, its overlay, its script, this file and FILE...; it is made when it is not there.
image_find() {
    local name=$1 script=$2 folder
    shift 2
    folder=$CARREL_CACHE/$name-$(image_inputs "$name" "$script" "$@" | sha256sum | cut -c1-12)
    cache_make "$name" "$folder" image_make "$name" "$script" "$folder.partial"
    printf '%s\n' "$folder"
}

image_make() {
    progress "Debian 13 $1 image" env CARREL_MIRROR="$(debian_mirror)" "$CARREL_SOURCE/image-build/enter" "$2" --inside "$3"
}

image_inputs() {
    local name=$1 script=$2
    shift 2
    cat -- "$CARREL_SOURCE/image-build/packages.$name" "$CARREL_SOURCE/image-build/lib-image.sh" \
        "$CARREL_SOURCE/image-build/extract-vmlinux" "$script" "$@"
    cd "$CARREL_SOURCE/image-build/$name.files"
    find . -type f -printf '%m %p\n' | LC_ALL=C sort
    find . -type f | LC_ALL=C sort | xargs -d '\n' cat --
}

# image_bootstrap NAME ROOT [MMDEBSTRAP-ARG...]: fills ROOT with Debian, the packages of packages.NAME and the overlay.
# The overlay comes before the packages' configuration, so the initrd is made once, with its settings.
image_bootstrap() {
    local name=$1 root=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    shift 2
    mmdebstrap --mode=root --variant=minbase --keyring="$keyring" \
        --aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt=force-confold \
        --dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
        --dpkgopt=path-exclude='/usr/share/locale/*' --dpkgopt=path-exclude='/usr/share/info/*' \
        --include="$(packages_in "$CARREL_SOURCE/image-build/packages.$name" | paste -sd,)" \
        --extract-hook="cp -rT --preserve=mode,links '$CARREL_SOURCE/image-build/$name.files' \"\$1\"" \
        "$@" \
        "$CARREL_SUITE" "$root" \
        "deb [signed-by=$keyring] $CARREL_MIRROR $CARREL_SUITE main" \
        "deb [signed-by=$keyring] $CARREL_MIRROR $CARREL_SUITE-updates main"
    chroot "$root" systemctl mask --quiet "${image_masked[@]}"
    chroot "$root" systemctl set-default --quiet multi-user.target
    : >"$root/etc/machine-id" # each machine made from the image makes its own
}

# image_pack ROOT FOLDER SIZE: the kernel, the initrd and the disk (SIZE as mke2fs takes it) into FOLDER; ROOT is removed.
image_pack() {
    local root=$1 folder=$2 size=$3
    cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
    "$CARREL_SOURCE/image-build/extract-vmlinux" "$folder/vmlinuz" "$folder/vmlinux"
    cp "$folder/vmlinux" "$root/boot/vmlinux" # for a host that has the disk and nothing else
    cp "$root"/boot/initrd.img-* "$folder/initrd.img"
    # Every block of a new file reads as zeroes, so nothing needs to be written, now or by the guest at its first mount.
    mke2fs -q -t ext4 -L carrel -m 0 -E lazy_itable_init=0,lazy_journal_init=0,assume_storage_prezeroed=1,root_owner=0:0 \
        -d "$root" "$folder/disk.raw" "$size"
    rm -rf --one-file-system "$root"
}
