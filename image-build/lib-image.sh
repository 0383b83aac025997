# SPDX-License-Identifier: Apache-2.0
# Making a Debian disk image without mounting anything: mmdebstrap fills a folder, mke2fs puts the folder into a raw file.
# Sourced by image-build/guest and image-build/host after lib.sh. An image is a folder of the cache:
#   disk.raw   one ext4 file system, sparse; the guest's in the third partition of a disk that firmware can boot
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
    image_kernel "$root" "$folder"
    image_ext4 "$root" "$folder/disk.raw" "$size" 0
    rm -rf --one-file-system "$root"
}

# image_pack_bootable ROOT FOLDER SIZE: the same with a disk that firmware can boot, for SIZE MiB of root file system. It
# begins with GRUB for a BIOS (1 MiB), then an EFI system partition with shim and GRUB, both signed.
image_pack_bootable() {
    local root=$1 folder=$2 size=$3 disk=$2/disk.raw efi_mib=32 root_at
    root_at=$((2 + efi_mib))
    image_kernel "$root" "$folder"
    install -D -m 0644 /dev/stdin "$root/boot/grub/grub.cfg" <<-END
	set timeout=0
	menuentry Debian {
	    linux /boot/$(basename "$root"/boot/vmlinuz-*) root=LABEL=carrel $image_cmdline
	    initrd /boot/$(basename "$root"/boot/initrd.img-*)
	}
	END
    truncate -s $((root_at + size + 1))M "$disk"
    sfdisk -q "$disk" <<-END
	label: gpt
	start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649, name=bios
	start=2MiB, size=${efi_mib}MiB, type=uefi, name=efi
	start=${root_at}MiB, size=${size}MiB, type=linux, name=root
	END
    image_bios_grub "$root" "$disk"
    image_efi "$root" "$folder/efi.raw" "$efi_mib"
    dd if="$folder/efi.raw" of="$disk" bs=1M seek=2 conv=notrunc,sparse status=none
    rm "$folder/efi.raw"
    image_ext4 "$root" "$disk" "${size}M" "${root_at}M"
    rm -rf --one-file-system "$root"
}

image_kernel() {
    local root=$1 folder=$2
    cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
    "$CARREL_SOURCE/image-build/extract-vmlinux" "$folder/vmlinuz" "$folder/vmlinux"
    cp "$folder/vmlinux" "$root/boot/vmlinux" # for a host that has the disk and nothing else
    cp "$root"/boot/initrd.img-* "$folder/initrd.img"
}

# image_ext4 ROOT DISK SIZE OFFSET: the file system, at OFFSET of DISK.
image_ext4() {
    # Every block of a new file reads as zeroes, so nothing needs to be written, now or by the guest at its first mount.
    mke2fs -q -F -t ext4 -L carrel -m 0 \
        -E lazy_itable_init=0,lazy_journal_init=0,assume_storage_prezeroed=1,root_owner=0:0,offset="$(numfmt --from=iec "$4")" \
        -d "$1" "$2" "$3"
}

# le64 NUMBER: its eight bytes, lowest first.
le64() { printf "$(printf '%016x' "$1" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\\x\8\\x\7\\x\6\\x\5\\x\4\\x\3\\x\2\\x\1/')"; }

# image_bios_grub ROOT DISK: what grub-bios-setup does, on a disk that is a file: GRUB's first sector before the partition
# table, the rest in the first partition, and in each where the next part begins (GRUB's boot.S and diskboot.S).
image_bios_grub() {
    local root=$1 disk=$2 first=2048 core=$1/tmp/core.img
    chroot "$root" grub-mkimage -O i386-pc -o /tmp/core.img -p '(hd0,gpt3)/boot/grub' \
        biosdisk part_gpt ext2 normal linux echo boot search configfile
    dd if="$root/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
    le64 $first | dd of="$disk" bs=1 seek=$((0x5c)) conv=notrunc status=none
    le64 $((first + 1)) | dd of="$core" bs=1 seek=$((0x1f4)) conv=notrunc status=none
    dd if="$core" of="$disk" bs=512 seek=$first conv=notrunc status=none
    rm "$core"
}

# image_efi ROOT FILE MIB: an EFI system partition as one for removable disks, which no variable has to point to.
image_efi() {
    local root=$1 file=$2
    truncate -s "$3M" "$file"
    mkfs.vfat -n EFI "$file" >/dev/null
    mmd -i "$file" ::EFI ::EFI/BOOT ::EFI/debian
    mcopy -i "$file" "$root/usr/lib/shim/shimx64.efi.signed" ::EFI/BOOT/BOOTX64.EFI
    mcopy -i "$file" "$root/usr/lib/shim/mmx64.efi.signed" ::EFI/BOOT/mmx64.efi
    mcopy -i "$file" "$root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::EFI/BOOT/grubx64.efi
    mcopy -i "$file" - ::EFI/debian/grub.cfg <<-'END'
	search.fs_label carrel root
	set prefix=($root)/boot/grub
	configfile $prefix/grub.cfg
	END
}
