"""Which function of the production code calls which, also through function pointers.

Found by name, as scripts/house.py does. A pointer is a member or a parameter that is called; it
leads to the functions that are assigned to it, or given to a function with a parameter of its name.
"""

import collections
import re

from repository import PRODUCTION, c_files, code, functions

_CALL = re.compile(r"(?P<member>\.|->)?\b(?P<name>[A-Za-z_]\w*)\s*\(")
_ASSIGNED = re.compile(r"(?:\.|->|\b)([A-Za-z_]\w*)\s*=\s*&?([A-Za-z_]\w*)\b\s*[,;}]")
_WORD = re.compile(r"(?<![\w.>])[A-Za-z_]\w*\b(?!\s*\()")
_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "CHECK"}


class Calls:
    def __init__(self):
        self.homes = collections.defaultdict(set)  # name of a function: where it is defined
        self.spans = {}  # path: [(first line, last line, name)] of its functions
        for path in c_files(*PRODUCTION):
            self.spans[path] = [(line, line + count, name)
                                for name, line, count, _ in functions(path)]
            for _, _, name in self.spans[path]:
                self.homes[name].add(path)
        self.exported = {name for path in c_files(*PRODUCTION, suffixes=(".h",))
                         for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", code(path))}
        self.parameters = self._parameters()
        self.targets = collections.defaultdict(set)  # name of a pointer: functions
        for path in self.spans:
            self._look_for_pointers(path)
        self._calls = {}

    def nodes(self, name, path=None):
        """Functions as (path, name): of one source, or all of this name."""
        return {(home, name) for home in self.homes.get(name, ()) if path in (None, home)}

    def _seen_from(self, path, name):
        homes = self.homes.get(name, set())
        if path in homes:
            return {(path, name)}
        return {(home, name) for home in homes} if name in self.exported else set()

    def _parameters(self):
        """name of a function: the names between its parentheses"""
        found = collections.defaultdict(set)
        for path, spans in self.spans.items():
            lines = code(path).splitlines()
            for first, _, name in spans:
                signature = "\n".join(lines[max(first - 6, 0):first - 1])
                inside = signature[signature.rfind(name + "("):]
                found[name] |= set(re.findall(r"\w+", inside))
        return found

    def _look_for_pointers(self, path):
        text = code(path)
        for match in _ASSIGNED.finditer(text):
            self.targets[match[1]] |= self._seen_from(path, match[2])
        declared = {name for other in self.spans if other.parent == path.parent
                    for name in re.findall(r"\(\*(\w+)\)\(", code(other))}
        for match in _WORD.finditer(text):
            if match[0] not in self.homes:
                continue
            receiver = self._receiver(text, match.start())
            for pointer in self.parameters.get(receiver, set()) if receiver else declared:
                if receiver or not re.search(r"[=(]\s*$", text[:match.start()]):
                    self.targets[pointer] |= self._seen_from(path, match[0])

    @staticmethod
    def _receiver(text, position):
        """Name of the function of which this is an argument, or None."""
        depth = 0
        for at in range(position - 1, max(position - 600, 0), -1):
            if text[at] in ";{}":
                return None
            depth += (text[at] == ")") - (text[at] == "(")
            if depth < 0:
                name = re.search(r"([A-Za-z_]\w*)\s*$", text[:at])
                return name[1] if name else None
        return None

    def calls(self, node):
        """(functions, names of pointers) that the body of this one calls"""
        if node not in self._calls:
            path, name = node
            lines = code(path).splitlines()
            called, pointers = set(), set()
            for first, last, here in self.spans[path]:
                if here == name:
                    for match in _CALL.finditer("\n".join(lines[first - 1:last])):
                        known = set() if match["member"] else self._seen_from(path, match["name"])
                        called |= known
                        if not known and match["name"] not in _KEYWORDS:
                            pointers.add(match["name"])
            self._calls[node] = (called, pointers)
        return self._calls[node]

    def one_hop(self, nodes, pointer=None):
        """What these call; with pointer: only through that one."""
        found = set()
        for node in nodes:
            called, pointers = self.calls(node)
            if pointer is None:
                found |= called
            elif pointer in pointers:
                found |= self.targets[pointer]
        return found

    def within_two_hops(self, nodes, targets, pointer=None):
        """Those of the targets that these functions call, or that what they call calls. With
        pointer: the last of the calls goes through it."""
        direct = self.one_hop(nodes)
        return targets & ((set() if pointer else direct) | self.one_hop(nodes, pointer)
                          | self.one_hop(direct, pointer))
