"""The socket by which systemd hears of services with Type=notify."""

import os
import socket
import struct
import threading
import time

import relay_support


class Systemd:
    """A socket that hears what a service tells systemd."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def hear(self, accept, timeout_s=relay_support.WAIT_S):
        """The next message that is accepted; those before it are kept in `heard`."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"not heard; before: {self.heard}") from None
            self.heard.append(message)
            if accept(message):
                return message

    def forget(self):
        """Takes what has been said until now."""
        self.socket.settimeout(0)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            self.heard.clear()


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Manager:
    """systemd with NotifyAccess=main, which is what Type=notify means: it takes nothing from a
    process that is not the main one, and no main process that is not alive."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.path)
        self.main, self.state, self.dropped = None, None, []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.path)
        self.thread.join()
        self.socket.close()

    def _run(self):
        while True:
            data, controls, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
            if not data:
                return
            pid = struct.unpack("3i", controls[0][2][:12])[0]
            if self.main is None:
                self.main = pid  # the first one, which systemd started
            if pid != self.main:
                self.dropped.append((pid, data.decode()))
                continue
            for line in data.decode().split("\n"):
                self._take(*line.partition("=")[::2])

    def _take(self, name, value):
        if name in ("READY", "RELOADING", "STOPPING"):
            self.state = name
        elif name == "MAINPID" and _is_alive(int(value)):
            self.main = int(value)

    def await_main(self, pid):
        """The service is ready, and this is its main process."""
        relay_support.wait_until(lambda: (self.main, self.state) == (pid, "READY"),
                                 f"process {pid} to be the main one, which is ready; it is "
                                 f"{self.main}, {self.state}")
