#!/usr/bin/python3
"""What `relay host` uses with one camera of 1 Mbit/s and two feeds of data: CPU and memory, for
docs/relay-host.md.

    RELAY_SOURCE=$PWD RELAY_BUILD=$PWD/build/release PYTHONPATH=tests/support perf/host_use.py 30

ffmpeg posts the camera; two local programs say and hear 50 lines a second each, of 100 bytes; three
destinations on this machine take everything. Prints the host's share of a core, and its memory.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(os.environ["RELAY_SOURCE"]) / "tests" / "host"))

import host_support  # noqa: E402  # pylint: disable=wrong-import-position
from host_support import client_support  # noqa: E402  # pylint: disable=wrong-import-position

LINES_PER_S = 50
LINE = "x" * 100


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])


def talk(local, server, over):
    """Both ways, in time."""
    due = time.monotonic()
    while not over.is_set():
        local.send_message(LINE)
        server.send(LINE)
        local.message(60)
        due += 1 / LINES_PER_S
        time.sleep(max(0, due - time.monotonic()))


def main(seconds):
    over = threading.Event()
    host = host_support.Host(RELAY_HOST_LOG_LEVEL="info")
    feeds = ("video", "data0", "data1")
    servers = {feed: client_support.WsServer() for feed in feeds}
    for number, feed in enumerate(feeds):
        host.rule(number, feed, servers[feed].url)
    while host.connects() < len(feeds):
        time.sleep(0.05)
    idle_kb = memory_kb(host.process.pid, "VmRSS")
    talkers = [threading.Thread(target=talk, args=(host.local(feed), servers[feed], over))
               for feed in feeds[1:]]
    with subprocess.Popen(
            [shutil.which("ffmpeg"), "-loglevel", "error", "-re", "-f", "lavfi", "-i",
             "testsrc=size=640x480:rate=24,noise=alls=20:allf=t", "-f", "mpegts", "-codec:v",
             "mpeg1video", "-b:v", "1000k", "-maxrate", "1000k", "-bufsize", "1000k", "-bf", "0",
             f"http://localhost:{host.port}/ts/video"], stdin=subprocess.DEVNULL) as camera:
        for talker in talkers:
            talker.start()
        while len(servers["video"].messages) < 24:
            time.sleep(0.05)
        before_s, start = cpu_s(host.process.pid), time.monotonic()
        seen = {feed: len(server.messages) for feed, server in servers.items()}
        time.sleep(seconds)
        used_s, took_s = cpu_s(host.process.pid) - before_s, time.monotonic() - start
        video = servers["video"].messages[seen["video"]:]
        lines = sum(len(servers[feed].messages) - seen[feed] for feed in feeds[1:])
        print(f"CPU {100 * used_s / took_s:.2f} % of a core, memory {idle_kb} kB idle, "
              f"{memory_kb(host.process.pid, 'VmRSS')} kB now, "
              f"{memory_kb(host.process.pid, 'VmHWM')} kB at most, {host.threads()} threads; "
              f"video {len(video) / took_s:.1f} messages/s, "
              f"{8 * sum(map(len, video)) / took_s / 1e6:.2f} Mbit/s; "
              f"data {lines / took_s:.0f} messages/s up and as many down")
        camera.kill()
    over.set()
    for talker in talkers:
        talker.join()
    host.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30)
