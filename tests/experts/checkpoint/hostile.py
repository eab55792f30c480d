"""Pickles that try to run code, and pickles that try to exhaust: what the reader must refuse."""

import struct


def runners(place):
    """Pickles that run code when really unpickled, most of them make the folder `place`.

    What each does -> (bytes, what the refusal must name).
    """
    path = str(place)
    text = b"X" + struct.pack("<I", len(path.encode())) + path.encode()
    line = repr(path).encode()

    def short(word):
        return b"\x8c" + bytes([len(word)]) + word.encode()

    return {
        "reduce, protocol 0": (b"cos\nmkdir\n(S" + line + b"\ntR.", "os.mkdir"),
        "reduce, protocol 4": (
            b"\x80\x04" + short("os") + short("mkdir") + b"\x93" + text + b"\x85R.",
            "os.mkdir",
        ),
        "stack global out of the memo": (
            b"\x80\x04" + short("os") + b"\x94" + short("mkdir") + b"\x940" + b"0"
            b"h\x00h\x01\x93" + text + b"\x85R.",
            "os.mkdir",
        ),
        "inst": (b"(S" + line + b"\nios\nmkdir\n.", "os.mkdir"),
        "obj": (b"(cos\nmkdir\n" + text + b"o.", "os.mkdir"),
        "newobj": (b"\x80\x02cos\nmkdir\n" + text + b"\x85\x81.", "os.mkdir"),
        "newobj_ex": (b"\x80\x04cos\nmkdir\n" + text + b"\x85}\x92.", "os.mkdir"),
        "nested reduce": (
            b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'mkdir'\ntR(S"
            + line
            + b"\ntR.",
            "builtins.getattr",
        ),
        "eval": (b"cbuiltins\neval\n(S'__import__(\"os\").getpid()'\ntR.", "builtins.eval"),
        "python 2's eval": (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        "system": (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        "popen": (b"csubprocess\nPopen\n(S'true'\ntR.", "subprocess.Popen"),
        "a dotted name": (b"\x80\x04" + short("torch") + short("os.mkdir") + b"\x93.", "torch.os"),
        "behind a known name": (
            b"\x80\x02ccollections\nOrderedDict\n)R}(X\x01\x00\x00\x00acos\nmkdir\n"
            + text
            + b"\x85Ru.",
            "os.mkdir",
        ),
        "a state with a call in it": (
            b"\x80\x02ccollections\nOrderedDict\n)R(cos\nmkdir\n" + text + b"\x85Rtb.",
            "os.mkdir",
        ),
        "numpy's own loader": (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        "torch's own loader": (b"ctorch\nload\n(S'x'\ntR.", "torch.load"),
        "an array of objects": (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
            b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R\x89]tb.",
            "NumPy type O8",
        ),
        "extension 1": (b"\x80\x02\x82\x01.", "extension code 1"),
        "extension 2": (b"\x80\x02\x83\x01\x02.", "extension code 513"),
        "extension 4": (b"\x80\x02\x84\x01\x00\x00\x00.", "extension code 1"),
        "a persistent id": (b"S'os'\nQ.", "outside of the pickle"),
        "a buffer": (b"\x80\x05\x97.", "outside of the pickle"),
        "a call of text": (b"S'os.mkdir'\n(S'x'\ntR.", "a call of os.mkdir"),
        "a state of a list": (b"]}b.", "setting the state of a list"),
        "a state of a type": (b"ctorch\nFloatStorage\n}b.", "setting the state"),
        "named arguments": (
            b"\x80\x04ccollections\nOrderedDict\n)}X\x01\x00\x00\x00aNs\x92.",
            "named arguments",
        ),
    }


# Streams that announce, nest or collide: each must end, quickly, in little memory.
EXHAUSTING = {
    "bytes of an exabyte": b"\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "text of an exabyte": b"\x8d" + struct.pack("<Q", 1 << 60) + b"x.",
    "an array of an exabyte": b"\x96" + struct.pack("<Q", 1 << 60) + b"x.",
    "text of 4 GiB": b"X\xff\xff\xff\xffx.",
    "a negative length": b"T\xff\xff\xff\xffx.",
    "a number of 2 GiB": b"\x8b\xff\xff\xff\x7f\x01.",
    "a number of many digits": b"L" + b"9" * 100_000 + b"L\n.",
    "a frame of an exabyte, and nothing": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60),
    "a memo far away": b"Np" + str(1 << 62).encode() + b"\n.",
    "no such memo": b"h\x07.",
    "a key nested deeply": b"}" + b")" + b"\x85" * 50_000 + b"Ns.",
    "a list as a key": b"}]Ns.",
    "colliding keys": b"}"
    + b"".join(
        b"\x8a\x10" + (n * ((1 << 61) - 1)).to_bytes(16, "little") + b"Ns" for n in range(1, 3000)
    )
    + b".",
    "nothing on the stack": b"R.",
    "no mark": b"t.",
    "an unknown opcode": b"\xff.",
    "an unknown protocol": b"\x80\x63N.",
    "no end": b"N",
    "text cut off": b"S'abc",
    "text without quotes": b"Sabc\n.",
    "a broken escape": b"S'\\q'\n.",
    "escapes without end": b"S'" + b"\\777" * 20_000 + b"\\\n.",
    "no number": b"Iabc\n.",
    "a key alone": b"(S'a'\nd.",
    "text that is no text": b"X\x01\x00\x00\x00\xff.",
}


def memo_bomb(depth):
    """Lists of two times the same list, `depth` deep: 2**depth items when copied."""
    return b"]" + b"".join(b"q%c(h%ch%cl" % (n, n, n) for n in range(depth)) + b"."


def nested(opcode, depth):
    """`depth` collections, one in another."""
    return {"tuple": b")" + b"\x85" * depth, "list": b"]" * depth + b"a" * (depth - 1)}[
        opcode
    ] + b"."
