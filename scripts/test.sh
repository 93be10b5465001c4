#!/usr/bin/env bash
# Installs what is missing, builds one preset and runs its tests. The last line is the result:
# "N passed, N failed, N skipped". Exits 0 only if tests ran and none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/test.sh [--preset NAME] [--label LABEL]... [--all] [--jobs N] [--build-dir DIR]
                       [--plan] [--help]

Runs scripts/setup.sh, configures and builds a preset, and runs its tests in parallel.

  --preset NAME    release (default), dev, asan, tsan or fuzz
  --label LABEL    only tests with this label (unit, e2e, browser, conformance, gst, packaging,
                   tidy, fuzz-smoke); may be repeated
  --all            where the kernel has no TLS: all tests in emulated kernels, not a short choice
  --jobs N         tests at a time (default: twice the processors, at most 6)
  --build-dir DIR  build here instead of build/NAME
  --plan           only say how long it takes and what it leaves out
  --help           this text

Says first how long it takes and what it leaves out. A test that cannot run on this machine is
skipped, with its reason, and counted as skipped.
docs/testing.md tells more.
END
}

die() {
    printf 'test: %s\n' "$*" >&2
    exit 1
}

# The suite could not be run at all: that is one failure, and the closing line must say so.
fail_before_tests() {
    printf 'test: %s, so no test ran; counted as one failure\n' "$1"
    printf '0 passed, 1 failed, 0 skipped\n'
    exit 1
}

processors=$(nproc)
preset=release
labels=()
plan_only=no
jobs=$((processors < 3 ? 2 * processors : 6)) # most tests wait most of the time
build_dir=
while (($# > 0)); do
    case $1 in
    --preset | --label | --jobs | --build-dir)
        (($# > 1)) || die "$1 needs a value (see --help)"
        case $1 in
        --preset) preset=$2 ;;
        --label) labels+=("$2") ;;
        --jobs) jobs=$2 ;;
        --build-dir) build_dir=$2 ;;
        esac
        shift 2
        ;;
    --all)
        export RELAY_TEST_VM=all
        shift
        ;;
    --plan)
        plan_only=yes
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) die "unknown option $1 (see --help)" ;;
    esac
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "--jobs needs a number, not $jobs"
build_dir=${build_dir:-build/$preset}

# From nothing on two quiet processors: packages, build and tests, rounded up.
declare -A minutes=([release]=14 [dev]=14 [asan]=14 [tsan]=8 [fuzz]=10)

tell_plan() {
    local taken='about as long as its tests'
    if ((${#labels[@]} == 0)) && [[ -n ${minutes[$preset]:-} ]]; then
        taken="about ${minutes[$preset]} minutes on two processors"
    fi
    printf 'test: preset %s: %s from nothing, less when packages and build are there\n' \
        "$preset" "$taken"
    if ((${#labels[@]} > 0)); then
        printf 'test: left out: tests without these labels: %s\n' "${labels[*]}"
    fi
    # Nothing is emulated where this kernel has TLS, nor under sanitizers.
    if [[ ! -e /proc/net/tls_stat && $preset =~ ^(release|dev)$ ]]; then
        if [[ ${RELAY_TEST_VM:-short} == short ]]; then
            printf 'test: left out: most tests in emulated kernels with TLS; --all has them, %s\n' \
                'and takes 8 minutes more'
        else
            printf 'test: with all tests in emulated kernels with TLS: 8 minutes more\n'
        fi
    fi
    if [[ $preset == release ]]; then
        printf 'test: left out: sanitizers and fuzzing (--preset asan, tsan, fuzz), %s\n' \
            'format and static analysis (.ci/run has everything)'
    fi
}

tell_plan
[[ $plan_only == no ]] || exit 0
scripts/setup.sh || fail_before_tests 'the set-up failed'

# On the project's own CI a warning fails the build; a user's newer compiler may warn of more. Both
# are said, because a build folder remembers.
werror=()
if [[ ${CI:-} == true ]]; then
    werror=(-DRELAY_WERROR=ON)
elif [[ $preset == release ]]; then
    werror=(-DRELAY_WERROR=OFF)
fi

printf 'test: configuring preset %s in %s\n' "$preset" "$build_dir"
cmake --preset "$preset" -B "$build_dir" "${werror[@]}" ||
    fail_before_tests "configuring preset $preset failed"
printf 'test: building\n'
cmake --build "$build_dir" -j "$processors" || fail_before_tests "building preset $preset failed"

printf 'test: running the tests, %d at a time\n' "$jobs"
results=$(realpath "$build_dir")/test-results.xml
rm -f "$results"
selection=()
if ((${#labels[@]} > 0)); then
    selection=(-L "^($(IFS='|' && printf '%s' "${labels[*]}"))\$")
fi
ctest_status=0
ctest --test-dir "$build_dir" -j "$jobs" "${selection[@]}" --output-on-failure --no-tests=error \
    --output-junit "$results" --test-output-size-passed 65536 --test-output-size-failed 262144 \
    </dev/null || ctest_status=$?

[[ -s $results ]] || fail_before_tests "ctest ended with status $ctest_status and no results"
exec /usr/bin/python3 scripts/test_summary.py "$results" "$ctest_status"
