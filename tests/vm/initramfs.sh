#!/bin/busybox sh
# First program of the VM (tests/vm): loads what is needed to see the host, puts a tmpfs overlay on
# top of its read-only root, and goes on with tests/vm/guest from there.
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

mkdir -p /upper
mount -t tmpfs -o mode=755,size=75% upper /upper
mkdir -p /upper/files /upper/work
mount -t overlay -o "lowerdir=/host,upperdir=/upper/files,workdir=/upper/work" root /new || give_up "cannot mount the overlay"

ifconfig lo 127.0.0.1 up
mount -t tmpfs -o mode=755,size=25% run /new/run
mkdir -p /new/run/vm/control
mount --move /control /new/run/vm/control
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys

. /new/run/vm/control/env
exec switch_root /new "$VM_REPO/tests/vm/guest"
