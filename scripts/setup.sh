#!/usr/bin/env bash
# Installs what relay needs from the distribution's packages: Debian 12, Debian 13, Ubuntu 24.04;
# and Python programs to test with, into a folder of their own. Does nothing, and needs no network
# and no rights, when everything is there.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/setup.sh [--server-only] [--no-vm] [--no-browser] [--help]

Installs the packages that building, testing and demonstrating relay needs, with apt-get, as root
or through sudo, and Python programs to test with, with pip, into $RELAY_PYTHON_TOOLS
(~/.cache/relay/python), and those of web/package-lock.json, with npm, into $RELAY_NODE_TOOLS
(~/.cache/relay/node). Says what it will install before it does so.

  --server-only  only what `relay` itself needs: no GStreamer, no tests, no clang
  --no-vm        leave out QEMU, in which the kernel-TLS tests boot stock kernels (x86-64 only)
  --no-browser   leave out Chromium, and npm's packages to test and bundle web/ with
  --help         this text
END
}

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# The first name of a|b that a machine or its package lists know is the one meant.
server_packages=(
    build-essential cmake ninja-build 'pkgconf|pkg-config'
    liburing-dev libssl-dev libwslay-dev libjwt-dev libjansson-dev libsqlite3-dev
    systemtap-sdt-dev # only headers: static probes
    'libllhttp-dev|node-llhttp' # Debian 12 has only the C sources, in node-llhttp
)
test_packages=(
    libcriterion-dev clang clang-format clang-tidy llvm # llvm: names in reports of sanitizers
    python3 python3-websockets python3-jwt python3-cryptography curl openssl ffmpeg
)
# Clients to test with. Not every distribution has each of them (Ubuntu has Chromium as a snap
# only), and without one its tests are skipped.
client_packages=(nodejs node-ws testssl.sh python3-venv prometheus) # promtool judges the metrics
browser_packages=('chromium-headless-shell|chromium')
# Tools to test with that are no packages, from PyPI. Without them their tests are skipped.
python_tools=(schemathesis==4.32.5)
gstreamer_packages=(
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav
)
vm_packages=(qemu-system-x86 busybox-static cpio kmod xz-utils)

is_installed() {
    # A line for each architecture of which the package is there.
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

is_available() {
    local candidate
    candidate=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')
    [[ -n $candidate && $candidate != '(none)' ]]
}

any_installed() {
    local name
    for name in ${1//|/ }; do
        if is_installed "$name"; then
            return 0
        fi
    done
    return 1
}

# The sanitizers and libFuzzer of clang live in a package named after clang's version.
clang_runtime() {
    local version
    version=$({ dpkg-query -W -f 'Depends: ${Depends}' clang 2>/dev/null ||
        apt-cache show --no-all-versions clang 2>/dev/null; } |
        sed -nE 's/^Depends:.*\b(clang-[0-9]+).*/\1/p' | head -n 1)
    printf '%s' "${version:+libclang-rt-${version#clang-}-dev}"
}

# Sets missing to the wanted packages of which no alternative is installed, and missing_clients to
# those that there may be no package for.
find_missing() {
    local wanted=("${server_packages[@]}") clients=("${client_packages[@]}") entry runtime
    missing=()
    missing_clients=()
    if [[ $server_only == no ]]; then
        wanted+=("${test_packages[@]}" "${gstreamer_packages[@]}")
        runtime=$(clang_runtime) || true
        wanted+=("${runtime:-libclang-rt-dev}")
        if [[ $with_vm == yes && $(dpkg --print-architecture) == amd64 ]]; then
            wanted+=("${vm_packages[@]}")
        fi
        if [[ $with_browser == yes ]]; then
            clients+=("${browser_packages[@]}")
        fi
        for entry in "${clients[@]}"; do
            if ! any_installed "$entry"; then
                missing_clients+=("$entry")
            fi
        done
    fi
    for entry in "${wanted[@]}"; do
        if ! any_installed "$entry"; then
            missing+=("$entry")
        fi
    done
}

# Sets found to the first name of an entry that can be installed here.
find_name() {
    local name
    for name in ${1//|/ }; do
        if is_available "$name"; then
            found=$name
            return 0
        fi
    done
    return 1
}

# Sets chosen to one package name for each entry of missing, and for those of missing_clients that
# have one; absent to the others of these. Fails when a name of missing is unknown here.
choose_names() {
    local entry found
    chosen=()
    absent=()
    for entry in "${missing[@]}"; do
        if ! find_name "$entry"; then
            unknown=$entry
            return 1
        fi
        chosen+=("$found")
    done
    for entry in "${missing_clients[@]}"; do
        if find_name "$entry"; then
            chosen+=("$found")
        else
            absent+=("${entry%%|*}")
        fi
    done
}

apt() {
    # A machine that has just booted may be busy with its own updates: wait for the lock.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null
}

update_lists() {
    printf 'setup: refreshing the package lists (apt-get update)\n'
    apt update || give_up 'apt-get update failed: check the network and /etc/apt/sources.list'
}

lists_are_there() {
    apt-cache policy 2>/dev/null | grep -qE '^ *-?[0-9]+ [a-z+]+:'
}

# Clients to test with are no reason to fail.
without_clients() {
    printf 'setup: %s, so tests with these are skipped: %s\n' "$1" "${*:2}"
}

give_up() {
    ((${#missing[@]} == 0)) || die "$1"
    without_clients "$1" "${missing_clients[@]%%|*}"
    exit 0
}

server_only=no
with_vm=yes
with_browser=yes
for argument in "$@"; do
    case $argument in
    --server-only) server_only=yes ;;
    --no-vm) with_vm=no ;;
    --no-browser) with_browser=no ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) die "unknown option $argument (see --help)" ;;
    esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die 'this script knows Debian and Ubuntu only; README.md lists what to install elsewhere'
fi

# In a shell of its own: each way out leaves the rest to be done.
install_packages() (
    find_missing
    if ((${#missing[@]} + ${#missing_clients[@]} == 0)); then
        printf 'setup: everything needed is installed\n'
        exit 0
    fi

    unknown='' chosen=() absent=()
    if ((${#missing[@]} == 0)) && lists_are_there && choose_names && ((${#chosen[@]} == 0)); then
        without_clients 'everything needed is installed; no package is known for some clients' \
            "${absent[@]}"
        exit 0
    fi

    if ((EUID == 0)); then
        as_root=()
    elif command -v sudo >/dev/null; then
        as_root=(sudo)
    else
        give_up "needs root or sudo to install${missing[*]:+: ${missing[*]}}"
    fi

    if ! lists_are_there || ! choose_names; then
        update_lists
        find_missing # clang's version, and so the name of its runtime, may be known only now
        choose_names || die "no package $unknown here: Debian 12, 13 or Ubuntu 24.04 is needed"
    fi
    if ((${#absent[@]} > 0)); then
        without_clients 'no package is known here for some clients' "${absent[@]}"
    fi
    if ((${#chosen[@]} == 0)); then
        exit 0
    fi

    printf 'setup: installing with apt-get%s:\n' "${as_root[0]:+ (through ${as_root[0]})}"
    printf '%s\n' "${chosen[@]}" | sed 's/^/setup:   /'
    if ! apt install -y --no-install-recommends "${chosen[@]}"; then
        printf 'setup: that failed; trying once more with fresh package lists\n'
        update_lists
        apt install -y --no-install-recommends "${chosen[@]}" ||
            give_up 'apt-get install failed twice; its messages above say why'
    fi

    find_missing
    ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
    printf 'setup: done, %d packages installed with what they need\n' "${#chosen[@]}"
)

# A folder with what was asked for has a list of it, written last.
install_python_tools() {
    local folder=${RELAY_PYTHON_TOOLS:-${HOME:-/root}/.cache/relay/python}
    if [[ $(cat "$folder/installed" 2>/dev/null) == "${python_tools[*]}" ]]; then
        return
    fi
    printf 'setup: installing with pip into %s: %s\n' "$folder" "${python_tools[*]}"
    if python3 -m venv "$folder" &&
        "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 2 \
            "${python_tools[@]}"; then
        printf '%s\n' "${python_tools[*]}" >"$folder/installed"
    else
        without_clients 'that failed' "${python_tools[@]%%=*}"
    fi </dev/null
}

# Node is old in some distributions, and npm a package of its own.
why_no_node_tools() {
    local version
    version=$(node --version 2>/dev/null) || true
    version=${version#v}
    if ! [[ ${version%%.*} =~ ^[0-9]+$ ]] || ((${version%%.*} < 20)); then
        printf 'Node %s is not 20 or newer' "${version:-}"
    elif ! command -v npm >/dev/null; then
        printf 'npm is not installed'
    fi
}

# A folder for each package-lock.json, so that none changes while it is in use.
install_node_tools() {
    local root base folder lock reason
    root=$(dirname "${BASH_SOURCE[0]:-scripts/setup.sh}")/..
    base=${RELAY_NODE_TOOLS:-${HOME:-/root}/.cache/relay/node}
    if [[ ! -r $root/web/package-lock.json ]]; then
        return
    fi
    lock=$(sha256sum "$root/web/package-lock.json")
    folder=$base/${lock:0:16}
    if [[ -e $folder/installed ]]; then
        return
    fi
    reason=$(why_no_node_tools)
    if [[ -n $reason ]]; then
        without_clients "$reason" 'packages of npm'
        return
    fi
    printf 'setup: installing with npm into %s: the packages of web/package-lock.json\n' "$folder"
    if mkdir -p "$folder" &&
        cp "$root/web/package.json" "$root/web/package-lock.json" "$root/web/.npmrc" "$folder" &&
        (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=2); then
        touch "$folder/installed"
    else
        without_clients 'that failed' 'packages of npm'
    fi </dev/null
}

install_packages
if [[ $server_only == no ]]; then
    install_python_tools
    if [[ $with_browser == yes ]]; then
        install_node_tools
    fi
fi
