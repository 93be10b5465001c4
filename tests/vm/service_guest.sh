#!/bin/bash
# Runs in the guest of service.py, as root under systemd: the packages in /new and /next as an
# operator installs, uses, upgrades and removes them. Prints each step; exit status 1 and the end of
# the journal at the first thing that is not so. GUEST_KERNEL_TLS=no: this kernel has no TLS.
set -Eeuo pipefail

export DEBIAN_FRONTEND=noninteractive
session=https://localhost/session/lab
authority=/etc/relay/tls/fullchain.pem # of its own
old=$(dpkg-deb -f /new/relay_*.deb Version)
# For each thing that is waited for; emulated processors are slow.
limit_s=300
pipe=(timeout "$limit_s" relay client pipe --session "$session" --ca-file "$authority")

say() {
    printf '%s s: %s\n' "$(cut -d. -f1 /proc/uptime)" "$*"
}

fail() {
    printf 'not so: %s\n' "$*"
    systemctl --no-pager status relay.service relay.socket || true
    journalctl --no-pager -o short-monotonic -n 40 || true
    exit 1
}

trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

expect() {
    local what=$1
    shift
    "$@" || fail "$what"
}

expect_nothing() {
    local what=$1 found
    shift
    found=$("$@" 2>&1 || true) # systemctl's status is 1 where it finds nothing
    [[ -z $found ]] || fail "$what: $found"
}

# Asks again until it is so.
await() {
    local what=$1 end=$((SECONDS + limit_s))
    shift
    until "$@"; do
        ((SECONDS < end)) || fail "$what"
        sleep 0.2
    done
}

property() {
    systemctl show --value -p "$1" "${2:-relay.service}"
}

status_field() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status"
}

is_listening() {
    # 01BB: port 443; 0A: listening
    grep -qE ': [0-9A-F]+:01BB [0-9A-F]+:0000 0A ' /proc/net/tcp /proc/net/tcp6
}

is_back() {
    local main
    main=$(property MainPID) # 0 in between
    [[ $main != 0 && $main != "$1" && $(property ActiveState) == active ]]
}

install_by_apt() {
    apt-get -qq -y install --no-install-recommends "$1"/*.deb >/tmp/apt 2>&1 || {
        cat /tmp/apt
        fail "apt-get install $1"
    }
}

write_options() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout /etc/relay/tls/privkey.pem -out /etc/relay/tls/fullchain.pem 2>/dev/null
    chgrp relay-tls /etc/relay/tls/*.pem
    chmod 0640 /etc/relay/tls/*.pem
    cat >/etc/relay/relay.env <<'END'
RELAY_AUDIENCE=https://localhost
RELAY_URL=wss://localhost
RELAY_PORT_ACCESS=443
RELAY_PORT_RELAY=443
RELAY_TLS_CERT=/etc/relay/tls/fullchain.pem
RELAY_TLS_KEY=/etc/relay/tls/privkey.pem
RELAY_LOG_LEVEL=info
RELAY_WORKERS=2
END
}

make_token() {
    relay token --secret-file /etc/relay/secret --audience https://localhost --topic lab \
        --lifetime 3600 "$@"
}

# A line that one client sends arrives at another one.
serves_wss() {
    local viewer end=$((SECONDS + limit_s))
    make_token --scope-read=true >/tmp/read
    make_token --scope-write=true >/tmp/write
    : >/tmp/got
    "${pipe[@]}" --token-file /tmp/read --no-send=true >/tmp/got 2>/tmp/viewer.log </dev/null &
    viewer=$!
    until grep -qx picture /tmp/got || ((SECONDS >= end)); do
        echo picture | "${pipe[@]}" --token-file /tmp/write --no-receive=true \
            2>/tmp/publisher.log || true
    done
    kill "$viewer" 2>/dev/null || true
    wait "$viewer" || true
    grep -qx picture /tmp/got || {
        tail -n 5 /tmp/viewer.log /tmp/publisher.log
        return 1
    }
}

# A viewer that has one connection as long as that is not closed; the client would make another one.
start_watching() {
    make_token --scope-read=true >/tmp/read
    make_token --scope-write=true >/tmp/write
    timeout "$((12 * limit_s))" relay client pipe --session "$session" --ca-file "$authority" \
        --token-file /tmp/read --no-send=true --log-level info >/tmp/seen 2>/tmp/watcher.log \
        </dev/null &
    watcher=$!
    await 'a viewer is there' sees begin
}

# A line of another client, that of now, arrives at the viewer.
sees() {
    echo "$1" | "${pipe[@]}" --token-file /tmp/write --no-receive=true 2>/tmp/publisher.log || true
    grep -qx "$1" /tmp/seen
}

expect_undisturbed() {
    await "the viewer sees what is sent $1" sees "$1"
    expect "the viewer has the connection of the beginning $1" \
        test "$(grep -c 'connected to' /tmp/watcher.log)" = 1
}

stop_watching() {
    kill "$watcher"
    wait "$watcher" || true
}

check_privileges() {
    local uid
    uid=$(status_field Uid | cut -f1)
    say "it is user $uid, capabilities $(status_field CapEff)"
    expect 'it runs as a dynamic user' eval '((uid >= 61184 && uid <= 65519))'
    expect 'it has no capability' test -z "$(status_field CapEff | tr -d 0)"
    expect 'it cannot have one' test -z "$(status_field CapBnd | tr -d 0)"
    expect 'it gains no privileges' test "$(status_field NoNewPrivs)" = 1
    expect 'it is filtered' test "$(status_field Seccomp)" = 2
    expect 'port 443 is of the socket unit' \
        test "$(property ActiveState relay.socket)" = active
    [[ ${GUEST_KERNEL_TLS:-yes} == no ]] ||
        expect 'the kernel makes its records' test "$(journal_lines '"kernel_tls":"yes')" -gt 0
}

# Stops one thread of the server for good by ptrace(PTRACE_ATTACH) of x86-64, then waits for its end
# (__WALL), so that it does not stay a zombie.
hang_worker() {
    local thread
    thread=$(grep -lE '^worker' /proc/"$1"/task/*/comm | head -n 1) || fail 'there are workers'
    thread=$(basename "$(dirname "$thread")")
    say "thread $thread hangs"
    perl -e 'syscall(101, 16, $ARGV[0] + 0, 0, 0) == 0 or die "ptrace: $!";
        1 while waitpid(-1, 0x40000000) > 0' "$thread" &
}

journal_lines() {
    journalctl --sync
    journalctl --no-pager -u relay | grep -c "$1" || true # none is a count, too
}

check_crash() {
    local main restarts
    main=$(property MainPID)
    restarts=$(property NRestarts)
    kill -KILL "$main"
    await 'systemd starts the service again' is_back "$main"
    expect 'it was a restart' test "$(property NRestarts)" -gt "$restarts"
    expect 'it serves again' serves_wss
}

check_watchdog() {
    local main restarts timeouts
    main=$(property MainPID)
    restarts=$(property NRestarts)
    timeouts=$(journal_lines 'Watchdog timeout')
    "$@" "$main"
    await 'the watchdog starts the service again' is_back "$main"
    expect 'it was a restart' test "$(property NRestarts)" -gt "$restarts"
    expect 'the watchdog is the reason' \
        test "$(journal_lines 'Watchdog timeout')" -gt "$timeouts"
    expect 'it serves again' serves_wss
}

is_active_without_a_job() {
    [[ $(property ActiveState) == active && $(property Job) =~ ^0?$ ]]
}

# Reloads with another program in the file: it takes over.
check_hand_over() {
    local main=$1 restarts before
    restarts=$(property NRestarts)
    before=$(journal_lines '"msg":"handed over"')
    cp -p /usr/bin/relay /usr/bin/relay.other
    mv /usr/bin/relay.other /usr/bin/relay
    systemctl reload relay
    await 'another program is the service' is_back "$main"
    expect 'it was a hand-over' test "$(journal_lines '"msg":"handed over"')" -gt "$before"
    expect 'it was no restart' test "$(property NRestarts)" = "$restarts"
    await 'the program before it ends' test ! -e "/proc/$main"
    expect 'the other one goes on without it' is_active_without_a_job
    expect 'its status is told' test -n "$(property StatusText)"
}

# Reloads with a program in the file that is none, or is not good: the service is what it was.
check_refusal() {
    local script=$1 main restarts before
    main=$(property MainPID)
    restarts=$(property NRestarts)
    before=$(journal_lines '"msg":"not handed over')
    mv /usr/bin/relay /usr/bin/relay.good
    printf '#!/bin/sh\n%s\n' "$script" >/usr/bin/relay.bad
    chmod 755 /usr/bin/relay.bad
    mv /usr/bin/relay.bad /usr/bin/relay
    systemctl reload relay
    await 'it is refused' eval '(($(journal_lines "\"msg\":\"not handed over") > before))'
    mv /usr/bin/relay.good /usr/bin/relay
    await 'the service is active' is_active_without_a_job
    expect 'it is the same process' test "$(property MainPID)" = "$main"
    expect 'it was no restart' test "$(property NRestarts)" = "$restarts"
}

check_upgrade() {
    local main socket restarts before
    main=$(property MainPID)
    before=$(journal_lines '"msg":"handed over"')
    start_watching
    socket=$(property InvocationID relay.socket)
    restarts=$(property NRestarts)
    install_by_apt /next
    expect 'a newer version' test "$(dpkg-query -W -f '${Version}' relay)" = "$old+next"
    await 'another program is the service' is_back "$main"
    expect 'it was a hand-over' test "$(journal_lines '"msg":"handed over"')" -gt "$before"
    expect 'it was no restart' test "$(property NRestarts)" = "$restarts"
    expect 'port 443 was open all the time' \
        test "$(property InvocationID relay.socket)" = "$socket"
    expect_undisturbed upgraded
    stop_watching
    expect 'it serves wss with the same secret' serves_wss
}

# Also one that took over, which systemd did not start, has its time to end.
remove_by_apt() {
    local stops
    stops=$(journal_lines '"msg":"stopped"')
    apt-get -q -y remove relay >/tmp/apt 2>&1 || fail "$(cat /tmp/apt)"
    expect 'the service is over' test "$(property ActiveState)" = inactive
    expect 'it ended by itself' test "$(journal_lines '"msg":"stopped"')" -gt "$stops"
    expect 'the port is closed' eval '! is_listening'
    expect 'the secret stays' test -s /etc/relay/secret
}

echo '127.0.0.1 localhost' >>/etc/hosts # a root has none of its own
say 'installing by apt'
rm -f /usr/sbin/policy-rc.d
install_by_apt /new
expect 'the service runs' test "$(property ActiveState)" = active

say 'port 443 by the socket unit'
write_options
systemctl enable -q relay.socket
systemctl restart relay
expect 'the service runs' test "$(property ActiveState)" = active
check_privileges
expect 'it answers to curl' \
    curl -sS --cacert "$authority" -o /dev/null -m "$limit_s" https://localhost/swagger.json
expect 'it serves wss' serves_wss

say 'reloading'
main=$(property MainPID)
systemctl reload relay
expect 'it is the same process' test "$(property MainPID)" = "$main"
expect 'it serves wss' serves_wss

say 'reloading with another program'
start_watching
for round in 1 2 3; do
    check_hand_over "$(property MainPID)"
    expect_undisturbed "after-$round"
done
check_privileges
say 'reloading with a program that refuses its options'
check_refusal 'echo no; exit 1'
expect_undisturbed refused
say 'reloading with a program that ends'
check_refusal 'case $* in *--check-config) exit 0 ;; esac; kill -SEGV $$'
expect_undisturbed ended
say 'reloading with a program that hangs'
check_refusal 'case $* in *--check-config) exit 0 ;; esac; exec sleep 1000'
expect_undisturbed hung
say 'and with a good one again'
check_hand_over "$(property MainPID)"
expect_undisturbed good
stop_watching

# From here on the main process is one that took over, and which systemd did not start.
say 'it is killed'
check_crash
check_hand_over "$(property MainPID)"
say 'the whole process stops'
check_watchdog kill -STOP
say 'one worker hangs'
check_watchdog hang_worker
expect 'the log names the worker' test "$(journal_lines 'a worker hangs')" -gt 0

say 'upgrading by apt'
check_upgrade
say 'removing by apt'
remove_by_apt
say 'installing again'
install_by_apt /next
expect 'the service runs' test "$(property ActiveState)" = active
expect 'it serves wss as before' serves_wss
remove_by_apt

say 'purging by apt'
rm /etc/relay/tls/*.pem # the operator's
apt-get -q -y purge relay relay-doc librelay-client0 librelay-client-dev gstreamer1.0-relay \
    >/tmp/apt 2>&1 || fail "$(cat /tmp/apt)"
systemctl daemon-reload
expect 'nothing is left behind' test ! -e /etc/relay -a ! -e /var/lib/relay -a \
    ! -e /var/lib/private/relay
expect_nothing 'no link is left' find /etc/systemd -name '*relay*'
expect_nothing 'no unit is left' systemctl list-unit-files --no-legend '*relay*'
expect_nothing 'nothing failed' systemctl list-units --failed --no-legend '*relay*'
say 'all went well'
