#!/bin/sh
# systemd_root.sh ROOT: the systemd of that root will run the command of boot.sh, and then end.
set -eu
root=$1
units=$root/etc/systemd/system

tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
cat >"$units/guest.service" <<'UNIT'
[Unit]
Description=The command of boot.sh
[Service]
Type=idle
Environment=HOME=/root LANG=C.UTF-8
ExecStart=/bin/bash -c '/bin/bash /mnt/out/cmd >/mnt/out/log 2>&1 </dev/null; echo $? >/mnt/out/rc'
ExecStopPost=/bin/systemctl poweroff -ff
UNIT
mkdir -p "$units/multi-user.target.wants"
ln -s ../guest.service "$units/multi-user.target.wants/"
