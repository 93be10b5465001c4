"""Starts a program to which the kernel refuses io_uring, as a container's seccomp profile does.

usage: uring_refused.py EPERM|ENOSYS program [argument...]
"""

import ctypes
import errno
import os
import struct
import sys

SYS_IO_URING_SETUP = 425  # the same number on every architecture
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
RETURN_ALLOW, RETURN_ERRNO = 0x7FFF0000, 0x00050000
BPF_LOAD_WORD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(number):
    """From here on io_uring_setup fails with that errno, in this process and its children."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in (
        (BPF_LOAD_WORD, 0, 0, 0),  # seccomp_data.nr
        (BPF_JUMP_EQUAL, 0, 1, SYS_IO_URING_SETUP),
        (BPF_RETURN, 0, 0, RETURN_ERRNO | number),
        (BPF_RETURN, 0, 0, RETURN_ALLOW)))
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                      (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse(getattr(errno, sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
