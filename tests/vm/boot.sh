#!/bin/bash
# Runs a shell command under a stock Debian kernel in QEMU (about 5 s to boot without KVM):
#   boot.sh FOLDER-OF-FETCH-KERNEL SECONDS 'command'
# The guest sees this machine's files read-only under a writable overlay. What the command writes to
# /mnt/out is in the folder named by RELAY_VM_OUT (default: a temporary one). Prints what the
# command printed and returns its exit status; 125 when the guest crashed, or when neither the
# command nor the kernel printed anything for SECONDS. How long a guest takes in all depends on the
# machine, and is not limited here.
#
# RELAY_VM_ROOT names the root of another system: the guest runs its systemd, and then the command.
# With the word "container" instead of a kernel's folder it does that in namespaces of this machine,
# which takes root and a second.
set -eu

kernel=${1:?usage: boot.sh KERNEL SECONDS COMMAND}
quiet_max=${2:?}
command=${3:?}
modules="virtio_pci 9pnet_virtio 9p overlay tls gcm ccm aesni-intel chacha20poly1305 chacha20
    chacha_generic poly1305_generic chacha-x86_64 poly1305-x86_64" # some are not in every series
root=${RELAY_VM_ROOT:-/}
machine=(-smp 2)
system=
if [ "$root" != / ]; then
    modules="virtio_pci 9pnet_virtio 9p overlay" # that system loads the others
    # One processor: with two, QEMU 7.2 ran into code that the kernel was just changing under the
    # other one (sched_clock_cpu), as kernels do where services start and stop.
    machine=(-smp 1 -virtfs
        "local,path=$kernel/lib/modules,mount_tag=modules,security_model=none,readonly=on")
    system=guest.systemd
fi
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
out=${RELAY_VM_OUT:-$work/out}
guest=
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$out"

make_initramfs() {
    local tree=$work/initramfs version
    version=$(cat "$kernel/version")
    mkdir -p "$tree"/{bin,mods,dev,proc,sys,host,rw,newroot}
    cp /bin/busybox "$tree/bin/"
    cp "$here/systemd_root.sh" "$tree/"
    local module
    for module in $modules; do
        modprobe -d "$kernel" -S "$version" -D "$module" 2>/dev/null |
            awk '$1 == "insmod" {print $2}'
    done | awk '!seen[$0]++' | while read -r file; do
        local name
        name=$(basename "${file%.xz}")
        case $file in
        *.xz) xz -dc "$file" ;;
        *) cat "$file" ;;
        esac >"$tree/mods/$name"
        echo "$name" >>"$tree/mods/order"
    done
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /mods/order); do insmod /mods/$m; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
mount -t tmpfs -o size=60% tmpfs /rw; mkdir -p /rw/upper /rw/work
mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /newroot
if grep -q guest.systemd /proc/cmdline; then exec /start_systemd; fi
mount -t proc proc /newroot/proc; mount -t sysfs sys /newroot/sys
mount -t devtmpfs dev /newroot/dev
mkdir -p /newroot/dev/shm /newroot/dev/pts
mount -t tmpfs tmpfs /newroot/dev/shm; mount -t tmpfs tmpfs /newroot/run
mount -t tmpfs tmpfs /newroot/tmp
mkdir -p /newroot/mnt/out
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /newroot/mnt/out
ip link set lo up
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
chroot /newroot /usr/bin/env -i PATH=$path HOME=/root LANG=C.UTF-8 \
    /bin/bash /mnt/out/cmd >/newroot/mnt/out/log 2>&1 </dev/null
echo $? >/newroot/mnt/out/rc
sync; poweroff -f
INIT
    cat >"$tree/start_systemd" <<'START'
#!/bin/busybox sh
mkdir -p /newroot/mnt/out /newroot/usr/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /newroot/mnt/out
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro modules /newroot/usr/lib/modules
sh /systemd_root.sh /newroot
mount --move /dev /newroot/dev
umount /proc /sys
exec switch_root /newroot /lib/systemd/systemd
START
    chmod +x "$tree/init" "$tree/start_systemd"
    (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs.gz"
}

printed_bytes() {
    stat -c %s "$out/log" "$work/console" 2>/dev/null || true
}

# Waits for the end of the guest, and ends one that hangs. Seconds are counted while this script
# runs, so that a machine that was suspended does not lose its guests.
watch_guest() {
    local quiet=0 before='' now nap
    while kill -0 "$guest" 2>/dev/null; do
        sleep 1 &
        nap=$!
        wait -n "$guest" "$nap" || true
        now=$(printed_bytes)
        quiet=$((quiet + 1))
        [ "$now" = "$before" ] || quiet=0
        before=$now
        if [ "$quiet" -ge "$quiet_max" ]; then
            kill "$guest" 2>/dev/null || true
            wait "$guest" || true
            echo "the guest printed nothing for $quiet_max s, and was ended" >&2
            return
        fi
    done
    wait "$guest" || true
}

start_qemu() {
    make_initramfs
    # An emulated timer that a busy machine delays must not look broken to the kernel
    # (no_timer_check). Emulation by default: nested KVM, where there is a /dev/kvm in a virtual
    # machine, often hangs.
    qemu-system-x86_64 -accel "${RELAY_VM_ACCEL:-tcg,thread=multi}" -cpu max -m 3072 \
        -display none -serial "file:$work/console" -monitor none -no-reboot -net none \
        -kernel "$kernel/vmlinuz" -initrd "$work/initramfs.gz" \
        -append "console=ttyS0 quiet panic=-1 no_timer_check $system" "${machine[@]}" \
        -virtfs "local,path=$root,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
        -virtfs "local,path=$out,mount_tag=out,security_model=none" </dev/null &
}

rm -f "$out/rc" "$out/log"
printf '%s\n' "$command" >"$out/cmd"
if [ "$kernel" = container ]; then
    "$here/container.sh" "$root" "$out" >"$work/console" 2>&1 &
else
    start_qemu
fi
guest=$!
watch_guest
guest=
[ ! -f "$out/log" ] || cat "$out/log"
if [ -f "$out/rc" ]; then
    exit "$(cat "$out/rc")"
fi
echo "the guest gave no result; its console ends with:" >&2
tail -n 20 "$work/console" >&2 || true
exit 125
