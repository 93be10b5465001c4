#!/usr/bin/env bash
# A live test camera through the relay to a viewer, on this machine only: installs what is missing,
# builds, runs until Ctrl-C. scripts/demo.py does the running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/demo.sh [--seconds N] [--plain] [--build-dir DIR] [--help]

Runs scripts/setup.sh, builds the release preset, starts `relay serve` on loopback with generated
secrets and certificates, publishes a live test camera with GStreamer and relaysink, connects a
viewer, and prints every few seconds what is flowing, until Ctrl-C.

  --seconds N      stop after N seconds of pictures; exit 0 only if they arrived and decoded
  --plain          http and ws instead of https and wss
  --build-dir DIR  build here instead of build/release
  --help           this text
END
}

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

build_dir=build/release
seconds=()
plain=()
while (($# > 0)); do
    case $1 in
    --seconds | --build-dir)
        (($# > 1)) || die "$1 needs a value (see --help)"
        case $1 in
        --seconds) seconds=(--seconds "$2") ;;
        --build-dir) build_dir=$2 ;;
        esac
        shift 2
        ;;
    --plain)
        plain=(--plain)
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) die "unknown option $1 (see --help)" ;;
    esac
done
if ((${#seconds[@]} > 0)) && ! [[ ${seconds[1]} =~ ^[1-9][0-9]{0,5}$ ]]; then
    die "--seconds needs a whole number from 1, not ${seconds[1]}"
fi

scripts/setup.sh
printf 'demo: building\n'
cmake --preset release -B "$build_dir" >/dev/null || die 'configuring failed'
cmake --build "$build_dir" -j "$(nproc)" --target relay gstrelay || die 'the build failed'

# exec: signals reach the program that starts, and ends, all children.
exec /usr/bin/python3 scripts/demo.py --build "$build_dir" "${seconds[@]}" "${plain[@]}"
