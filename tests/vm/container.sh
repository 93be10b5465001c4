#!/bin/bash
# Runs the systemd of a root in namespaces of this machine, as root: container.sh ROOT OUT
# The root stays as it is. boot.sh uses this, and says what is in OUT.
set -eu
root=$1
out=$2
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
group=relay-guest-$$
child=
export root out here work group

mount_devices() {
    mount -t tmpfs -o mode=755 tmpfs dev
    local name
    for name in null zero full random urandom tty; do
        : >"dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
}

# In namespaces of its own, but still with this machine's processes.
make_root() {
    mount -t tmpfs tmpfs "$work"
    mkdir "$work"/{groups,upper,scratch,root}
    mount -t cgroup2 cgroup2 "$work/groups"
    mkdir "$work/groups/$group"
    echo $$ >"$work/groups/$group/cgroup.procs"
    mount -t overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/scratch" overlay \
        "$work/root"
    cd "$work/root"
    mkdir -p mnt/out
    mount --bind "$out" mnt/out
    mount_devices
    "$here/systemd_root.sh" .
    ip link set lo up
    exec unshare --cgroup --pid --fork --kill-child bash -euc start_systemd
}

# As process 1. Credentials of services need a shared root.
start_systemd() {
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs run
    mkdir run/old
    pivot_root . run/old
    exec chroot . /usr/bin/env -i container=relay /bin/sh -euc '
        umount -l /run/old
        mount --make-rshared /
        exec /lib/systemd/systemd'
}

# Ends what still runs. The group is empty when the last process is gone.
clean_up() {
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    wait || true
    unshare --mount bash -c '
        mount -t cgroup2 cgroup2 "$work"
        for ((tries = 100; tries > 0; tries--)); do
            find "$work/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -e "$work/$group" ] || break
            sleep 0.1
        done'
    rmdir "$work"
}

trap clean_up EXIT
trap 'exit 143' TERM
export -f mount_devices make_root start_systemd
unshare --mount --net --uts --ipc --propagation private bash -euc make_root </dev/null &
child=$!
wait "$child" || true # a kill ends it: systemd switches the machine off
child=
