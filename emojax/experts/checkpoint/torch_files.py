"""PyTorch's files without PyTorch: zip archives, TorchScript, the legacy stream and the old tar.

Layouts as `torch.save` and `torch.jit.save` write them (`torch/serialization.py`): each has one
pickle whose persistent ids name storages, and the storages' raw numbers elsewhere.

    zip:     NAME/data.pkl, NAME/data/KEY, NAME/byteorder     (PyTorch 1.6 and later)
    script:  the same, and NAME/code/, NAME/constants.pkl, NAME/constants/KEY
    legacy:  magic number, protocol, system, the pickle, keys, then count and numbers of each key
    tar:     members `storages`, `tensors`, `pickle`          (before 0.1.10)
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping

from emojax.experts.checkpoint import archives, limits, pickles, refusal, standins, tensors

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_TAR_MEMBERS = ("storages", "tensors", "pickle")
_CONSTANTS = "CONSTANTS"  # what TorchScript's code calls the tensors of constants.pkl


def read_zip(archive: archives.Zip, budget: limits.Budget) -> tensors.Contents:
    """Reads what `torch.save` or `torch.jit.save` wrote.

    Args:
      archive: of the file.
      budget: is spent.

    Raises:
      CheckpointError: the archive is damaged, of a big-endian machine, or no data alone.
    """
    roots = [name[: -len("data.pkl")] for name in archive if name.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise refusal.damaged(f"a zip archive with {len(roots)} data.pkl instead of one")
    (root,) = roots
    if f"{root}byteorder" in archive:
        _check_little(bytes(archive[f"{root}byteorder"]) == b"little")
    is_script = any(name.startswith(f"{root}code/") for name in archive)
    tree = _read_entry(archive, root, "data", budget, has_records=is_script)
    if not is_script:
        return tensors.Contents("PyTorch zip", tree)
    if f"{root}constants.pkl" in archive:
        constants = _read_entry(archive, root, "constants", budget, has_records=True)
        if isinstance(constants, tuple | list):
            named = {f"c{index}": constant for index, constant in enumerate(constants)}
            tree = {"model": tree, _CONSTANTS: named}
    return tensors.Contents("TorchScript archive", tree)


def _read_entry(
    archive: archives.Zip, root: str, name: str, budget: limits.Budget, *, has_records: bool
) -> object:
    """The value of one pickle in an archive, whose storages lie in the folder of its name."""

    def locate(key: object, size: int):
        entry = f"{root}{name}/{key}"
        if not isinstance(key, str) or entry not in archive:
            raise refusal.damaged(f"no storage {refusal.shown(key)} in the archive")
        if archive.size(entry) < size:
            raise refusal.damaged(f"a storage {refusal.shown(key)} that is cut off")
        return functools.partial(archive.__getitem__, entry)

    return _load(
        bytes(archive[f"{root}{name}.pkl"]), locate, budget, has_records=has_records, start=0
    )[0]


def _load(data, locate, budget: limits.Budget, *, start: int, has_records: bool = False):
    """A pickle with storages outside of it: value and end; each key stands for one storage."""
    storages: dict[tuple, tensors.Storage] = {}

    def persistent(identity: object) -> object:
        storage = standins.storage_of(identity, locate)
        known = storages.setdefault((identity[2], storage.dtype, storage.size), storage)
        viewed = identity[5] if len(identity) > 5 else None  # legacy: a view of the storage
        return known if viewed is None else _viewed(known, viewed)

    table = standins.Table(budget, has_records=has_records)
    return pickles.load(data, start, names=table.find, budget=budget, persistent=persistent)


def _viewed(storage: tensors.Storage, view: object) -> tensors.Storage:
    """Part of a storage: (key, offset, count of elements)."""
    if not isinstance(view, tuple) or len(view) != 3:
        raise refusal.damaged("a view of a storage without its parts")
    offset, count = tensors.sizes(view[1:])
    item = tensors.item_size(storage.dtype)
    first, last = offset * item, (offset + count) * item
    if last > storage.size:
        raise refusal.damaged("a view that reaches out of its storage")
    return tensors.Storage(
        storage.dtype, last - first, lambda: memoryview(storage.read())[first:last]
    )


def _check_little(is_little: bool) -> None:
    if not is_little:
        raise refusal.CheckpointError(
            expected="weights saved on a little-endian machine",
            got="a big-endian file",
            fix="Save them again on the usual kind of machine (x86 or ARM).",
        )


def is_legacy(data: bytes) -> bool:
    """Returns whether a file begins as `torch.save` wrote before 1.6 (pickle protocol 2 or later).

    Args:
      data: of the file.
    """
    number = LEGACY_MAGIC.to_bytes(10, "little")
    return data[:1] == b"\x80" and number in data[:32]


def read_legacy(data: bytes, budget: limits.Budget) -> tensors.Contents:
    """Reads a legacy stream.

    Args:
      data: of the file.
      budget: is spent.

    Raises:
      CheckpointError: the file is damaged, of a big-endian machine, or no data alone.
    """
    plain = functools.partial(pickles.load, names=standins.Table(budget).find, budget=budget)
    magic, position = plain(data, 0)
    protocol, position = plain(data, position)
    system, position = plain(data, position)
    if magic != LEGACY_MAGIC or protocol != _LEGACY_PROTOCOL or not isinstance(system, dict):
        raise refusal.damaged("a legacy PyTorch file with another beginning")
    _check_little(system.get("little_endian") is True)

    wanted: dict[object, int] = {}  # bytes by key
    places: dict[object, memoryview] = {}

    def locate(key: object, size: int):
        if wanted.setdefault(key, size) != size:
            raise refusal.damaged(f"a storage {refusal.shown(key)} of two sizes")
        return lambda: places[key]

    tree, position = _load(data, locate, budget, start=position)
    keys, position = plain(data, position)
    if not isinstance(keys, list) or len(keys) > len(wanted):
        raise refusal.damaged("a legacy PyTorch file without the list of its storages")
    for key in keys:
        if limits.key(key) not in wanted:
            raise refusal.damaged(f"a storage {refusal.shown(key)} that nothing uses")
        size = wanted[key]
        count, start = _count(data, position)
        if count < 0 or (size % count if count else size):
            raise refusal.damaged(f"{count} numbers in {size:,} bytes")
        places[key] = _numbers(data, start, size)
        position = start + size
    if missing := [key for key in wanted if key not in places]:
        raise refusal.damaged(f"no storage {refusal.listed(missing)} in the file")
    return tensors.Contents("PyTorch legacy file", tree)


def _count(data: bytes, position: int) -> tuple[int, int]:
    """The count of elements before a storage's numbers, and where these begin."""
    raw = data[position : position + 8]
    if len(raw) < 8:
        raise refusal.damaged("a file that ends before its storages")
    return struct.unpack("<q", raw)[0], position + 8


def _numbers(data: bytes, start: int, size: int) -> memoryview:
    part = memoryview(data)[start : start + size]
    if len(part) < size:
        raise refusal.damaged("a file that ends within its storages")
    return part


def nested_storage(data: bytes, budget: limits.Budget) -> tensors.Storage:
    """Returns the storage that a whole PyTorch file inside of a pickle consists of.

    Args:
      data: of the inner file; another file inside of it is refused.
      budget: is spent.

    Raises:
      CheckpointError: it is damaged or something else.
    """
    if data.startswith(archives.ZIP_MAGIC):
        tree = read_zip(archives.Zip(data, budget), budget).tree
    else:
        tree = read_legacy(data, budget).tree
    if not isinstance(tree, tensors.Storage):
        raise refusal.refused("a file inside of a pickle that is no storage")
    return tree


def read_tar(members: Mapping[str, memoryview], budget: limits.Budget) -> tensors.Contents:
    """Reads a file of PyTorch 0.1.

    Args:
      members: of the tar archive.
      budget: is spent.

    Raises:
      CheckpointError: the file is damaged or no data alone.
    """
    if missing := [name for name in _TAR_MEMBERS if name not in members]:
        raise refusal.damaged(f"a tar archive without {', '.join(missing)}")
    storage_data, tensor_data, data = (bytes(members[name]) for name in _TAR_MEMBERS)
    known = _tar_tensors(tensor_data, _tar_storages(storage_data, budget), budget)

    def persistent(identity: object) -> object:
        number = int(identity) if isinstance(identity, str) and identity.isdecimal() else identity
        if limits.key(number) not in known:
            raise refusal.damaged(f"no tensor {refusal.shown(identity)} in the archive")
        return known[number]

    names = standins.Table(budget).find
    tree, _ = pickles.load(data, 0, names=names, budget=budget, persistent=persistent)
    return tensors.Contents("PyTorch tar", tree)


def _tar_storages(data: bytes, budget: limits.Budget) -> dict[object, tensors.Storage]:
    """Counted storages, each behind (key, location, type), then views into them."""
    load = functools.partial(pickles.load, data, names=standins.Table(budget).find, budget=budget)
    storages: dict[object, tensors.Storage] = {}
    count, position = load(0)
    for _ in range(_counted(count, budget)):
        head, position = load(position)
        if not isinstance(head, tuple) or len(head) != 3:
            raise refusal.damaged("a storage without its parts")
        elements, start = _count(data, position)

        def locate(key: object, size: int, start: int = start):
            del key
            part = _numbers(data, start, size)
            return lambda: part

        storage = standins.storage_of(("storage", head[2], None, head[1], elements), locate)
        storages[limits.key(head[0])] = storage
        position = start + storage.size
    views, _ = load(position)
    for view in views if isinstance(views, list) else ():
        if not isinstance(view, tuple) or len(view) != 4 or limits.key(view[1]) not in storages:
            raise refusal.damaged("a view of a storage without its parts")
        storages[limits.key(view[0])] = _viewed(storages[view[1]], (None, *view[2:]))
    return storages


def _tar_tensors(
    data: bytes, storages: Mapping[object, tensors.Storage], budget: limits.Budget
) -> dict[object, tensors.Tensor]:
    """Counted tensors: (key, storage, type), then dimensions, sizes, strides and offset."""
    load = functools.partial(
        pickles.load, data, names=_TensorNames(standins.Table(budget)).find, budget=budget
    )
    found: dict[object, tensors.Tensor] = {}
    count, position = load(0)
    for _ in range(_counted(count, budget)):
        head, position = load(position)
        if not isinstance(head, tuple) or len(head) != 3 or limits.key(head[1]) not in storages:
            raise refusal.damaged("a tensor without its parts")
        try:
            (dims,) = struct.unpack("<i", data[position : position + 4])
            if not 0 <= dims <= limits.MAX_DIMS:
                raise refusal.damaged(f"a tensor of {dims} dimensions")
            form = f"<{dims}q{dims}qq"
            position += 8  # the count takes 4 bytes of 8
            end = position + struct.calcsize(form)
            numbers = struct.unpack(form, data[position:end])
        except struct.error:
            raise refusal.damaged("a file that ends before its tensors") from None
        shape, strides, offset = numbers[:dims], numbers[dims:-1], numbers[-1]
        found[limits.key(head[0])] = tensors.view(storages[head[1]], offset, shape, strides)
        position = end
    return found


class _TensorNames:
    """The names of the old tensor classes too (torch.FloatTensor), which stand for themselves."""

    def __init__(self, table: standins.Table):
        self._table = table

    def find(self, module: str, name: str) -> object:
        if module in ("torch", "torch.cuda") and name.endswith("Tensor"):
            return self._table.find(module, name.removesuffix("Tensor") + "Storage")
        return self._table.find(module, name)


def _counted(count: object, budget: limits.Budget) -> int:
    if not isinstance(count, int) or count < 0:
        raise refusal.damaged(f"{refusal.shown(count)} as a count")
    budget.spend(min(count, limits.MAX_STEPS + 1))
    return count
