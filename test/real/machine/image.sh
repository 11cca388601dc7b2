#!/bin/bash
# Makes the disk of the emulated machines in the folder $1: Debian 12 with its kernel, Xen with xl, GFS2, DLM, corosync.
# Files: vmlinuz initrd.img xen.elf root.img, and versions. Needs mmdebstrap, e2fsprogs, cpio, and a Debian mirror.
set -eu
dir=$1
mkdir -p "$dir"
rm -rf "$dir"/new
mkdir "$dir/new"
cd "$dir/new"
export TMPDIR=$PWD
packages=linux-image-amd64,xen-utils-4.17,xen-hypervisor-4.17-amd64,gfs2-utils,dlm-controld,corosync,openssh-client,openssh-server
packages=$packages,busybox-static,iproute2,kmod,mount,util-linux,procps,psmisc,strace
modules='/lib/modules/*/kernel'
without=(/usr/share/doc/'*' /usr/share/man/'*' /usr/share/locale/'*' "$modules"/sound/'*')
for d in gpu media net/wireless net/ethernet infiniband usb staging scsi; do without+=("$modules/drivers/$d/*"); done
options=()
for w in "${without[@]}"; do options+=("--dpkgopt=path-exclude=$w"); done
# The initial file system holds what the root needs, and no more: emulated processors take long to unpack it.
mmdebstrap -q --variant=apt --include="$packages" "${options[@]}" \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
  --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/lbvm"' \
  --essential-hook='printf "virtio_pci\nvirtio_blk\next4\n" >"$1/usr/share/initramfs-tools/modules.d/lbvm"' \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
  bookworm root.tar
mkdir root
tar -xf root.tar -C root --exclude='./dev/*'
rm root.tar

# A guest of Xen: it counts. "deaf" in its command line: it does not hear that it shall end.
mkdir -p guest/bin guest/sbin guest/proc guest/sys guest/dev
cp root/bin/busybox guest/bin/
for a in sh mount sleep cat echo grep; do ln -s busybox "guest/bin/$a"; done
cat >guest/init <<'G'
#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
echo 1 >/proc/sys/kernel/sysrq
grep -q deaf /proc/cmdline && echo /bin/false >/proc/sys/kernel/poweroff_cmd
echo GUEST-UP
n=0; while :; do n=$((n+1)); echo "tick $n"; sleep 1; done
G
printf '#!/bin/sh\nexec /bin/busybox poweroff -f\n' >guest/sbin/poweroff
chmod 755 guest/init guest/sbin/poweroff
mkdir -p root/guest
(cd guest && find . | cpio -o -H newc --quiet | gzip -9n) >root/guest/initrd.gz

cat >root/lbvm-init <<'I'
#!/bin/sh
# The first process: the disk vdb brings the test's program, which takes over.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mount -t proc proc /proc 2>/dev/null; mount -t sysfs sys /sys 2>/dev/null; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
mkdir -p /run/lock /run/sshd; mount -t cgroup2 c /sys/fs/cgroup 2>/dev/null
ip link set lo up
modprobe virtio_console; modprobe virtio_net
mkdir -p /lbvm; tar -xf /dev/vdb -C /lbvm
exec /lbvm/inside
I
chmod 755 root/lbvm-init
chroot root dpkg-query -W -f '${Package} ${Version}\n' linux-image-amd64 xen-hypervisor-4.17-amd64 xen-utils-4.17 gfs2-utils dlm-controld corosync >versions
ls root/boot/vmlinuz-* | sed 's/.*vmlinuz-/kernel /' >>versions
cp root/boot/vmlinuz-* vmlinuz
cp root/boot/initrd.img-* initrd.img
zcat root/boot/xen-4.17-amd64.gz >xen.elf
cp vmlinuz root/guest/vmlinuz
rm -rf root/boot/* guest
mkfs.ext4 -q -d root root.img 1500M
rm -rf root
mv -f vmlinuz initrd.img xen.elf root.img ..
mv -f versions .. # last: it says that the image is whole
cd ..
rmdir new
