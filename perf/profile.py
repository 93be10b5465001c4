#!/usr/bin/python3
"""Leave a flame graph of relay under a load: one command.

    perf/profile.py --scenarios E
    perf/profile.py --seconds 10 --out e.svg -- --topics 8 --viewers 50 --rate 100
    perf/profile.py --tls cert.pem key.pem --scenarios F

Starts a relay, gives it the load of relay-bench (options behind -- go there), and samples the
relay's threads by perf meanwhile: joins and warm-up too, not only the window. Left are the picture,
and beside it the folded stacks (.folded) for other tools. Threads are lowest, then callers below
callees; the kernel's functions end in _[k].

Exit status: 0 drawn; 1 perf is missing or forbidden, or a run failed: one line says the cure.
"""

import argparse
import contextlib
import os
import pathlib
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "perf" / "peers"))

import flame  # noqa: E402  # pylint: disable=wrong-import-position
import peers  # noqa: E402  # pylint: disable=wrong-import-position

PARANOID = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
RUN_EXTRA_S = 300
PERF_BEGIN_S = 60
PERF_END_S = 120  # it may still have much to write
SCRIPT_S = 600


class Refused(Exception):
    """One line: the cause, and its cure."""


def arguments_parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0],
                                     epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default=None, help="of relay-bench; default: E")
    parser.add_argument("--seconds", type=int, default=5,
                        help="of load (5), after joins and warm-up, which are sampled too")
    parser.add_argument("--workers", type=int, default=1, help="of the relay (1)")
    parser.add_argument("--frequency", type=int, default=999, help="samples a second (999)")
    parser.add_argument("--event", default="cpu-clock",
                        help="of perf; cycles where the processor has counters (cpu-clock)")
    parser.add_argument("--call-graph", default="dwarf", choices=("dwarf", "fp", "lbr"),
                        help="fp costs less, and needs a build with frame pointers, such as dev")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="over TLS")
    peers.add_programs(parser)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("profile.svg"),
                        help="(profile.svg)")
    parser.add_argument("load", nargs="*", help="behind --: options of relay-bench")
    return parser.parse_args(argv)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def perf_check(options, folder):
    """A trial, because a perf that is installed may have no kernel that lets it."""
    if shutil.which("perf") is None:
        raise Refused("perf is not installed: apt install linux-perf")
    trial = subprocess.run(["perf", "record", "-e", options.event, "-g", "-o", f"{folder}/trial",
                            "--", "true"], capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL, timeout=60)
    if trial.returncode == 0:
        return
    level = PARANOID.read_text(encoding="ascii").strip() if PARANOID.exists() else "not there"
    if "paranoid" in trial.stderr or "ermission" in trial.stderr or "ermitted" in trial.stderr:
        raise Refused(f"the kernel forbids perf (kernel.perf_event_paranoid is {level}): "
                      "sudo sysctl kernel.perf_event_paranoid=1, or run this as root; in a "
                      "container, allow perf_event_open")
    raise Refused(f"perf cannot record {options.event} here: {last_line(trial.stderr)}; "
                  "try another --event, such as cpu-clock")


def programs_check(options):
    for path, option in ((options.relay, "--relay"), (options.bench, "--bench")):
        if not os.access(path, os.X_OK):
            raise Refused(f"{path} is not there: build the release preset, or name {option}")


def out_check(path):
    """A picture that cannot be left is refused before all, not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise Refused(f"nothing can be left in {path.parent}: {error.strerror}") from None
    if path.is_dir():
        raise Refused(f"{path} is a folder: name a file by --out")


def relay_start(options, access, relay):
    """A process, and what relay-bench needs to know of it."""
    secure = "s" if options.tls else ""
    url = f"http{secure}://127.0.0.1:{access}"
    environment = {
        "RELAY_PORT_ACCESS": str(access), "RELAY_PORT_RELAY": str(relay), "RELAY_AUDIENCE": url,
        "RELAY_URL": f"ws{secure}://127.0.0.1:{relay}", "RELAY_SECRET": secrets.token_hex(16),
        "RELAY_WORKERS": str(options.workers), "RELAY_STORE": "memory",
        "RELAY_LOG_FILE": "stdout", "RELAY_ALLOW_NO_BOOKING_ID": "true"}
    if options.tls:
        environment["RELAY_TLS_CERT"], environment["RELAY_TLS_KEY"] = options.tls
    cpus = sorted(os.sched_getaffinity(0))
    process = peers.Process([options.relay, "serve"],
                            cpus[0] if options.workers == 1 and len(cpus) > 1 else None,
                            environment)
    try:
        process.await_port(access)
        process.await_port(relay)
        peers.await_workers(process.process.pid, options.workers)  # perf might miss later ones
    except peers.Failed:
        process.end()
        raise
    return process, url, environment["RELAY_SECRET"]


def load_run(options, url, secret, pid):
    command = [options.bench, "--access", url, "--server-pid", str(pid), "--seconds",
               str(options.seconds), "--allow-late"]
    if options.scenarios or not options.load:
        command += ["--scenarios", options.scenarios or "E"]
    if options.tls:
        command += ["--tls", "--insecure"]
    done = subprocess.run([*command, *options.load], check=False, stdin=subprocess.DEVNULL,
                          stdout=sys.stderr, timeout=options.seconds * 10 + RUN_EXTRA_S,
                          env={**os.environ, "RELAY_SECRET": secret},
                          preexec_fn=peers.die_with_parent)
    if done.returncode == 1:
        raise Refused("relay-bench could not measure: see above")


class Recorder:
    """perf on a process, which says when it has begun: on a busy machine that may take longer than
    a load lasts."""

    def __init__(self, options, pid, data):
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        self.process = subprocess.Popen(
            ["perf", "record", "-e", options.event, "-F", str(options.frequency), "--call-graph",
             options.call_graph, "-o", data, "-p", str(pid), "--delay", "-1",
             "--control", f"fd:{orders},{answers}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, pass_fds=(orders, answers), preexec_fn=peers.die_with_parent)
        os.close(orders)
        os.close(answers)

    def begin(self):
        """True once it records; false when it has ended instead."""
        try:
            os.write(self.orders, b"enable\n")
        except BrokenPipeError:
            return False
        is_answered, _, _ = select.select([self.answers], [], [], PERF_BEGIN_S)
        return bool(is_answered) and b"ack" in os.read(self.answers, 16)

    def end(self):
        """Whether all was written, and the last that perf said."""
        self.process.send_signal(signal.SIGINT)
        is_whole = True
        try:
            _, reason = self.process.communicate(timeout=PERF_END_S)
        except subprocess.TimeoutExpired:
            is_whole = False
            self.process.kill()
            _, reason = self.process.communicate()
        finally:
            os.close(self.orders)
            os.close(self.answers)
        return is_whole, last_line(reason)


def record(options, folder):
    """Samples of the relay while the load lasts; returns their stacks."""
    data = f"{folder}/perf.data"
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(peers.free_ports(2))
        process, url, secret = relay_start(options, *ports)
        stack.callback(process.end)
        recorder = Recorder(options, process.process.pid, data)
        try:
            has_begun = recorder.begin()
            if has_begun:
                load_run(options, url, secret, process.process.pid)
        finally:
            is_whole, reason = recorder.end()
    if not has_begun:
        raise Refused(f"perf recorded nothing: {reason}")
    if not is_whole:
        raise Refused(f"perf did not end within {PERF_END_S} s and was killed: {reason}; try a "
                      "lower --frequency, or --call-graph fp")
    return stacks_of(data)


def stacks_of(data):
    text = pathlib.Path(f"{data}.txt")
    with text.open("wb") as output:  # inlined functions would take hours of addr2line
        done = subprocess.run(["perf", "script", "--no-inline", "-i", data, "-F",
                               "comm,ip,sym,dso"], check=False, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=subprocess.PIPE, timeout=SCRIPT_S,
                              preexec_fn=peers.die_with_parent)
    if done.returncode != 0:
        reason = last_line(done.stderr.decode("utf-8", "replace"))
        raise Refused(f"perf script failed with status {done.returncode}: {reason}")
    with text.open(encoding="utf-8", errors="replace") as lines:
        stacks = flame.fold(lines)
    if not stacks:
        raise Refused("perf saw no sample of the relay: give it more --seconds or a heavier load")
    return stacks


def main(argv):
    options = arguments_parse(argv)
    try:
        programs_check(options)
        out_check(options.out)
        with tempfile.TemporaryDirectory() as folder:
            perf_check(options, folder)
            stacks = record(options, folder)
    except (Refused, peers.Failed, subprocess.TimeoutExpired) as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    samples = sum(stacks.values())
    load = " ".join(options.load) or options.scenarios or "E"
    title = f"relay, {load}: {samples} samples of {options.event}"
    options.out.write_text(flame.draw(stacks, title), encoding="utf-8")
    folded = options.out.with_suffix(".folded")
    folded.write_text("".join(f"{';'.join(stack)} {count}\n"
                              for stack, count in sorted(stacks.items())), encoding="utf-8")
    print(f"{options.out}: {samples} samples; stacks in {folded}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
