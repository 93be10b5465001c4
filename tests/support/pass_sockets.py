#!/usr/bin/python3
"""Runs a program as a socket unit of systemd would: pass_sockets.py NAME=PORT... -- COMMAND...

The sockets listen, and do not block, as those of systemd; the name may be empty.
"""

import os
import socket
import sys

FIRST_FD = 3


def listening(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Beside the test's own, which keeps the port (relay_support.ReservedPort).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", int(port)))
    sock.listen(64)
    sock.setblocking(False)
    return sock


def main():
    end = sys.argv.index("--")
    pairs = [each.partition("=") for each in sys.argv[1:end]]
    # First away from where they go, so that none is overwritten.
    sockets = [os.dup(listening(port).detach()) for _, _, port in pairs]
    high = [os.open("/dev/null", os.O_RDONLY) for _ in range(FIRST_FD + 2 * len(pairs))]
    moved = [os.dup2(fd, high[-1] + 1 + index) for index, fd in enumerate(sockets)]
    for index, fd in enumerate(moved):
        os.dup2(fd, FIRST_FD + index, inheritable=True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(pairs)),
                      LISTEN_FDNAMES=":".join(name for name, _, _ in pairs))
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == "__main__":
    main()
