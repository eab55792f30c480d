"""Pickle streams read by an interpreter of our own: no code of the file, or of Python, is called.

Every opcode of protocols 0 to 5 is known. Those that build numbers, text, tuples, lists, sets and
dictionaries do so. Those that name or call something (GLOBAL, STACK_GLOBAL, REDUCE, INST, OBJ,
NEWOBJ, NEWOBJ_EX, BUILD) only ever reach the inert stand-ins of `standins`; any other name is
refused before it is looked up, and so are codes of extensions and buffers outside of the stream.

The opcodes are those of CPython's `pickletools`; Python 2's text is read as Latin-1, so that it can
be turned back into the bytes which it may have been.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import Protocol

from emojax.experts.checkpoint import limits, refusal

HIGHEST_PROTOCOL = 5
# What repr() of Python 2 writes; with other escapes Python warns, which may be an error.
_QUOTED = re.compile(rb"""['"](?:[^\\]|\\(?:[\\'"abfnrtv0-7]|x[0-9a-fA-F]{2}))*['"]""")
_MAX_INTEGER = 255  # bytes of a number: LONG1's longest


class Named(Protocol):
    """A stand-in for something that a pickle names."""

    name: str

    def call(self, arguments: tuple) -> object:
        """Returns what a call of it stands for."""


Names = Callable[[str, str], object]  # module, name -> stand-in; refuses
Persistent = Callable[[object], object]  # id -> stand-in


def load(
    data: bytes,
    start: int,
    *,
    names: Names,
    budget: limits.Budget,
    persistent: Persistent | None = None,
) -> tuple[object, int]:
    """Reads one pickle.

    Args:
      data: bytes, or a memory map, with the stream in it.
      start: where it begins.
      names: returns the stand-in of a module's name, or refuses it.
      budget: is spent.
      persistent: returns what an id outside of the stream stands for.

    Returns:
      The value, and where the stream ends.

    Raises:
      CheckpointError: the stream is damaged, or asks for what is no data.
    """
    machine = _Machine(data, start, names, budget, persistent)
    try:
        while True:
            budget.spend(1)
            code = machine.take(1)
            if code == b".":
                return machine.pop(), machine.position
            if code not in _OPCODES:
                raise refusal.damaged(f"the unknown opcode {code.hex()} in a pickle")
            _OPCODES[code](machine)
    except refusal.CheckpointError:
        raise
    # What is left are contradictions in the stream (an empty stack, no such memo, text that is no
    # number): the machine touches nothing but its own lists and dictionaries.
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise refusal.damaged(
            f"a pickle that contradicts itself ({type(error).__name__})"
        ) from None


class _Machine:
    """The stack machine: a stack, the stacks set aside by MARK, and the memo."""

    def __init__(self, data, start, names, budget, persistent):
        self.data, self.position = data, start
        self.names, self.budget, self.persistent = names, budget, persistent
        self.stack: list = []
        self.marked: list[list] = []
        self.memo: dict[int, object] = {}

    def take(self, count: int) -> bytes:
        """The next bytes."""
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise refusal.damaged("a pickle that ends early")
        self.position += count
        return taken

    def number(self, form: str) -> int:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def counted(self, form: str) -> bytes:
        """Bytes behind their count, which is believed only as far as the stream goes."""
        count = self.number(form)
        if count < 0:
            raise refusal.damaged("a negative length in a pickle")
        return self.take(count)

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise refusal.damaged("a pickle that ends early")
        taken = self.take(end - self.position)
        self.position += 1
        return taken

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        return self.stack.pop()

    def pop_mark(self) -> list:
        """What was pushed since the last MARK."""
        items, self.stack = self.stack, self.marked.pop()
        return items

    def remember(self, index: int) -> None:
        if not 0 <= index < 1 << 32:  # greater ones could be made to collide
            raise refusal.damaged(f"a memo at {refusal.shown(index)} in a pickle")
        self.memo[index] = self.stack[-1]

    def pop_pairs(self) -> dict:
        items = self.pop_mark()
        if len(items) % 2:
            raise refusal.damaged("a dictionary with a key alone")
        return dict(zip(map(limits.key, items[::2]), items[1::2], strict=True))

    def name(self, module: object, name: object) -> object:
        if not isinstance(module, str) or not isinstance(name, str):
            raise refusal.refused("a name that is no text")
        return self.names(module, name)

    def call(self, function: object, arguments: object) -> None:
        if not hasattr(function, "call"):
            raise refusal.refused(f"a call of {refusal.shown(function)}")
        if not isinstance(arguments, tuple):
            raise refusal.refused(f"a call of {function.name} with {refusal.shown(arguments)}")
        self.push(function.call(arguments))


def _integer(machine: _Machine) -> None:
    text = machine.line()
    machine.push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text))


def _long_text(machine: _Machine) -> None:
    machine.push(int(machine.line().removesuffix(b"L")))


def _long(machine: _Machine, form: str) -> None:
    data = machine.counted(form)
    if len(data) > _MAX_INTEGER:
        raise refusal.refused("a huge number")
    machine.push(int.from_bytes(data, "little", signed=True))


def _quoted(machine: _Machine) -> None:
    text = machine.line()
    if not _QUOTED.fullmatch(text) or text[:1] != text[-1:]:
        raise refusal.damaged("text without its quotes, or with a broken escape, in a pickle")
    machine.push(codecs.escape_decode(text[1:-1])[0].decode("latin-1"))


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _pop_or_unmark(machine: _Machine) -> None:
    if machine.stack:
        machine.pop()
    else:
        machine.pop_mark()


def _tuple(machine: _Machine, count: int) -> None:
    items = machine.stack[len(machine.stack) - count :] if count else []
    if len(items) < count:
        raise refusal.damaged("a tuple without its parts")
    del machine.stack[len(machine.stack) - count :]
    machine.push(tuple(items))


def _onto(machine: _Machine, kind: type, what: str) -> object:
    """The collection at the stack's top, which is to be added to."""
    target = machine.stack[-1]
    if type(target) is not kind:
        raise refusal.refused(f"{what} to {refusal.shown(target)}")
    return target


def _append(machine: _Machine, items: list) -> None:
    _onto(machine, list, "adding").extend(items)


def _set_items(machine: _Machine, pairs: dict) -> None:
    _onto(machine, dict, "setting items").update(pairs)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, {limits.key(key): value})


def _add_items(machine: _Machine) -> None:
    items = [limits.key(item) for item in machine.pop_mark()]
    _onto(machine, set, "adding").update(items)


def _global(machine: _Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.push(machine.name(_utf8(module), _utf8(name)))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(machine.name(module, name))


def _reduce(machine: _Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.call(function, arguments)


def _inst(machine: _Machine) -> None:
    module, name = machine.line(), machine.line()
    arguments = tuple(machine.pop_mark())
    machine.call(machine.name(_utf8(module), _utf8(name)), arguments)


def _obj(machine: _Machine) -> None:
    kind, *arguments = machine.pop_mark()
    machine.call(kind, tuple(arguments))


def _new_extended(machine: _Machine) -> None:
    options, arguments, kind = machine.pop(), machine.pop(), machine.pop()
    if options != {}:
        raise refusal.refused("a call with named arguments")
    machine.call(kind, arguments)


def _build(machine: _Machine) -> None:
    state, target = machine.pop(), machine.stack[-1]
    if type(target) is dict:
        return  # an ordered dictionary's attributes, PyTorch's `_metadata`: versions, no weights
    if not hasattr(target, "build"):
        raise refusal.refused(f"setting the state of {refusal.shown(target)}")
    target.build(state)


def _persistent(machine: _Machine, identity: object) -> None:
    if machine.persistent is None:
        raise refusal.refused("a reference to something outside of the pickle")
    machine.push(machine.persistent(identity))


def _extension(machine: _Machine, form: str) -> None:
    raise refusal.refused(f"the extension code {machine.number(form)}")


def _outside(machine: _Machine) -> None:
    del machine
    raise refusal.refused("a buffer outside of the pickle")


def _protocol(machine: _Machine) -> None:
    if (protocol := machine.number("B")) > HIGHEST_PROTOCOL:
        raise refusal.damaged(f"a pickle of the unknown protocol {protocol}")


_OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m.number("Q"),  # FRAME: the stream is in memory already
    # Numbers and constants.
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": _integer,
    b"L": _long_text,
    b"F": lambda m: m.push(float(m.line())),
    b"J": lambda m: m.push(m.number("i")),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("H")),
    b"\x8a": lambda m: _long(m, "B"),
    b"\x8b": lambda m: _long(m, "i"),
    b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    # Text and bytes.
    b"S": _quoted,
    b"T": lambda m: m.push(m.counted("i").decode("latin-1")),
    b"U": lambda m: m.push(m.counted("B").decode("latin-1")),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"X": lambda m: m.push(_utf8(m.counted("I"))),
    b"\x8c": lambda m: m.push(_utf8(m.counted("B"))),
    b"\x8d": lambda m: m.push(_utf8(m.counted("Q"))),
    b"B": lambda m: m.push(m.counted("I")),
    b"C": lambda m: m.push(m.counted("B")),
    b"\x8e": lambda m: m.push(m.counted("Q")),
    b"\x96": lambda m: m.push(m.counted("Q")),
    # Collections.
    b"(": lambda m: (m.marked.append(m.stack), setattr(m, "stack", [])),
    b"0": _pop_or_unmark,
    b"1": lambda m: m.pop_mark(),
    b"2": lambda m: m.push(m.stack[-1]),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"\x85": lambda m: _tuple(m, 1),
    b"\x86": lambda m: _tuple(m, 2),
    b"\x87": lambda m: _tuple(m, 3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.pop_mark()),
    b"a": lambda m: _append(m, [m.pop()]),
    b"e": lambda m: _append(m, m.pop_mark()),
    b"}": lambda m: m.push({}),
    b"d": lambda m: m.push(m.pop_pairs()),
    b"s": _set_item,
    b"u": lambda m: _set_items(m, m.pop_pairs()),
    b"\x8f": lambda m: m.push(set()),
    b"\x90": _add_items,
    b"\x91": lambda m: m.push(frozenset(map(limits.key, m.pop_mark()))),
    # The memo.
    b"p": lambda m: m.remember(int(m.line())),
    b"q": lambda m: m.remember(m.number("B")),
    b"r": lambda m: m.remember(m.number("I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.push(m.memo[int(m.line())]),
    b"h": lambda m: m.push(m.memo[m.number("B")]),
    b"j": lambda m: m.push(m.memo[m.number("I")]),
    # Names and what is done with them.
    b"c": _global,
    b"\x93": _stack_global,
    b"R": _reduce,
    b"i": _inst,
    b"o": _obj,
    b"\x81": _reduce,
    b"\x92": _new_extended,
    b"b": _build,
    b"P": lambda m: _persistent(m, m.line().decode("ascii")),
    b"Q": lambda m: _persistent(m, m.pop()),
    b"\x82": lambda m: _extension(m, "B"),
    b"\x83": lambda m: _extension(m, "H"),
    b"\x84": lambda m: _extension(m, "I"),
    b"\x97": _outside,
    b"\x98": _outside,
}
