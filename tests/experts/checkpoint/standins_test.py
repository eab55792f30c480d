"""The closed table of names: what each stands for, and that nothing else is known."""

import pickle

import numpy as np
import pytest

from emojax.experts.checkpoint import limits, pickles, reading, standins, state, tensors
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files


def table(**options):
    return standins.Table(limits.Budget(1 << 20), **options)


def read(data, **options):
    budget = limits.Budget(len(data))
    return pickles.load(data, 0, names=standins.Table(budget, **options).find, budget=budget)[0]


@pytest.mark.parametrize(
    ("module", "name", "dtype"),
    [
        ("torch", "FloatStorage", "float32"),
        ("torch.cuda", "HalfStorage", "float16"),
        ("torch", "BFloat16Storage", "bfloat16"),
        ("torch.storage", "UntypedStorage", "uint8"),
        ("torch", "int64", "int64"),
    ],
)
def test_types_are_known_by_name(module, name, dtype):
    assert table().find(module, name).dtype == dtype


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("torch", "ComplexFloatStorage"),
        ("torch", "QInt8Storage"),
        ("torch", "float8_e4m3fn"),
        ("torch._utils", "_rebuild_sparse_tensor"),
        ("torch._utils", "_rebuild_qtensor"),
        ("torch.storage", "_load_from_bytes"),
        ("torch.nn.modules.conv", "Conv2d"),
        ("__torch__.models", "Net"),
        ("collections", "OrderedDict.update"),
        ("builtins", "getattr"),
        ("numpy", "frombuffer"),
        ("", ""),
    ],
)
def test_other_names_are_refused_by_name(module, name):
    with pytest.raises(CheckpointError) as caught:
        table().find(module, name)
    assert f"the name {module}.{name} " in str(caught.value)


def test_options_of_a_training_run_are_attributes():
    import argparse

    for protocol in (2, 4):
        options = read(pickle.dumps(argparse.Namespace(size=256, rate=0.1), protocol))
        assert options.kind == "argparse.Namespace"
        assert options.fields == {"size": 256, "rate": 0.1}


def test_python_2s_ordered_dictionary():
    data = b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'a'\naI1\naa(lp2\nS'b'\naI2\naatR."
    assert read(data) == {"a": 1, "b": 2}


def test_calls_with_wrong_arguments_are_damage():
    for call in (
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NI0\n))tR.",
        b"ctorch._utils\n_rebuild_parameter\n(NI0\nNtR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"cnumpy\ndtype\n(S'f4,f4'\ntR.",
        b"cnumpy\nndarray\n(I5\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"ccollections\nOrderedDict\n(S'abc'\ntR.",
        b"ccollections\nOrderedDict\n((lI1\natR.",
        b"cbuiltins\nset\n((l(l(atR.",
    ):
        with pytest.raises(CheckpointError):
            read(call)


def test_a_numpy_type_of_parts_is_refused():
    data = pickle.dumps(np.zeros(2, [("a", "f4"), ("b", "i4")]), 2)
    with pytest.raises(CheckpointError, match="NumPy type V8"):
        read(data)


def test_arrays_with_too_few_bytes_are_damage():
    data = pickle.dumps(np.zeros(3, np.float32), 4).replace(b"K\x03\x85", b"K\x04\x85", 1)
    with pytest.raises(CheckpointError, match=r"shape \(4,\) with 12 bytes"):
        read(data)


def test_storages_are_told_by_their_ids():
    kind = standins.StorageType("torch.FloatStorage", "float32")

    def locate(key, size):
        assert (key, size) == ("0", 12)
        return lambda: b"\0" * 12

    storage = standins.storage_of(("storage", kind, "0", "cpu", 3), locate)
    assert (storage.dtype, storage.size) == ("float32", 12)
    for identity in (None, "x", ("module", 1, 2, 3, 4), ("storage", "x", "0", "cpu", 3)):
        with pytest.raises(CheckpointError, match="nothing of the file was executed"):
            standins.storage_of(identity, locate)
    with pytest.raises(CheckpointError, match="storage"):
        standins.storage_of(("storage", kind, "0", "cpu", -1), locate)


def test_stylegans_persistent_modules_give_tensors_and_no_code():
    conv = files.persistent_module(
        {"_parameters": {"weight": files.ARRAYS["weight"]}, "_buffers": {}, "_modules": {}}
    )
    whole = files.persistent_module(
        {
            "_parameters": {},
            "_buffers": {"w_avg": files.ARRAYS["bias"]},
            "_modules": {"b4": conv},
            "_init_kwargs": {"z_dim": 512},
        }
    )
    data = files.stylegan_pickle({"G_ema": whole, "D": None}, storage=files.legacy_storage)
    contents = reading.parse(data)
    assert contents.kind == "pickle"
    leaves = dict(state._module_leaves(contents.tree["G_ema"]))
    assert leaves.keys() == {"w_avg", "b4.weight"}
    np.testing.assert_array_equal(leaves["b4.weight"].array(), files.ARRAYS["weight"])
    assert contents.tree["G_ema"].fields["_init_kwargs"] == {"z_dim": 512}


def test_a_storage_inside_of_a_pickle_may_not_hold_another():
    inner = b"ctorch.storage\n_load_from_bytes\n(C\x00tR."
    with pytest.raises(CheckpointError, match="_load_from_bytes"):
        read(inner)


def test_records_are_known_in_torchscript_alone():
    found = table(has_records=True).find("__torch__.models", "Net")
    record = found.call(())
    record.build({"weight": 1})
    assert (record.kind, record.fields) == ("__torch__.models.Net", {"weight": 1})
    with pytest.raises(CheckpointError, match="state"):
        record.build([1])
    assert isinstance(table().find("torch", "FloatStorage"), standins.StorageType)
    assert tensors.DTYPES.keys() >= {"float32", "bool"}
