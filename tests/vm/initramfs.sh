#!/bin/busybox sh
# shellcheck shell=dash
# First program of the VM (tests/vm): loads what is needed to see the host, puts a tmpfs overlay on
# top of its read-only root, mounts what a Debian system has, and goes on with tests/vm/guest from
# there. All mounts are made here: busybox in memory is ten times faster than the host's mount
# program through an emulated share.
/bin/busybox mkdir -p /bin /dev /proc /sys
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
mount -t proc proc /proc
mount -t sysfs sys /sys

give_up() { echo "vm: $*"; sync; echo b >/proc/sysrq-trigger; }

while read -r module; do
	insmod "/modules/$module" || give_up "cannot load $module"
done </modules/order

# Nothing on the host changes what a run sees in its middle, so pages and names may be cached; what
# goes to the host (status, results) must be there when a write returns.
share='trans=virtio,version=9p2000.L,msize=512000'
mount -t 9p -o "$share,ro,cache=loose" host /host || give_up "cannot mount the host's root"
mount -t 9p -o "$share,cache=none" control /control || give_up "cannot mount the control share"
# shellcheck source=/dev/null
. /control/env

mkdir -p /upper
mount -t tmpfs -o mode=755,size=75% upper /upper
mkdir -p /upper/files /upper/work
mount -t overlay -o "lowerdir=/host,upperdir=/upper/files,workdir=/upper/work" root /new || give_up "cannot mount the overlay"

mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup || give_up "cannot mount cgroup2"
release=$(uname -r)
mkdir -p "/new/lib/modules/$release"
mount --bind "/new$VM_MODULES/lib/modules/$release" "/new/lib/modules/$release" || give_up "cannot mount the modules"
# A repository in a place that is about to be covered stays.
mkdir -p /repo
mount --bind "/new$VM_REPO" /repo || give_up "cannot find $VM_REPO"
mount -t tmpfs -o mode=755,size=25% run /new/run
mount -t tmpfs -o mode=1777,size=50% tmp /new/tmp
case $VM_REPO in
/tmp/* | /run/*)
	mkdir -p "/new$VM_REPO"
	mount --move /repo "/new$VM_REPO"
	;;
*) umount /repo ;;
esac
mkdir -p /new/run/lock /new/run/vm/control

if [ -n "$VM_RESULTS" ]; then
	mkdir -p /new/results
	mount -t 9p -o "$share,cache=mmap" results /new/results || give_up "cannot mount the results share"
fi

ifconfig lo 127.0.0.1 up
hostname vm
echo core >/proc/sys/kernel/core_pattern
echo 8 >/proc/sys/vm/nr_hugepages
ulimit -H -n 524288
ulimit -S -n 1024
ulimit -c 0

mount --move /control /new/run/vm/control
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
# systemd makes every mount shared; a runtime must cope with that, so tests get it too.
# shellcheck disable=SC2016 # the new shell's own $0
exec switch_root /new /bin/busybox sh -c 'mount --make-rshared / && exec "$0"' "$VM_REPO/tests/vm/guest"
