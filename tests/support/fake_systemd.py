"""The socket by which systemd hears of services with Type=notify."""

import os
import socket
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
