#!/usr/bin/python3
"""Runs a program behind a seccomp profile as container runtimes read it, by libseccomp.

usage: seccomp_profile.py PROFILE [--without NAME]... -- COMMAND...
"""

import ctypes
import json
import os
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPERATORS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
UNKNOWN = -1


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


def library():
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int,
                                               ctypes.c_uint, ctypes.c_void_p]
    return seccomp


def action_of(rule, default_errno):
    return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" \
        else ERRNO | rule.get("errnoRet", default_errno)


def apply(profile, without):
    seccomp = library()
    default_errno = profile.get("defaultErrnoRet", 1)
    context = seccomp.seccomp_init(ERRNO | default_errno)
    for rule in profile["syscalls"]:
        given = [Comparison(each["index"], OPERATORS[each["op"]], each["value"],
                            each.get("valueTwo", 0)) for each in rule.get("args", ())]
        for name in set(rule["names"]) - set(without):
            number = seccomp.seccomp_syscall_resolve_name(name.encode())
            if number != UNKNOWN:
                # Calls of other architectures cannot be added here, and need not.
                seccomp.seccomp_rule_add_array(context, action_of(rule, default_errno), number,
                                               len(given), (Comparison * len(given))(*given))
    failed = seccomp.seccomp_load(context)
    if failed != 0:
        raise OSError(-failed, "seccomp_load: " + os.strerror(-failed))


def main():
    end = sys.argv.index("--")
    with open(sys.argv[1], encoding="ascii") as file:
        profile = json.load(file)
    without = [name for name in sys.argv[2:end] if name != "--without"]
    apply(profile, without)
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == "__main__":
    main()
