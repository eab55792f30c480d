"""Building device kernels: what is looked for, what is said, all without nvcc and without a GPU."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

from emojax import native, native_build

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _fresh_architectures():
    yield
    native_build.cuda_architectures.cache_clear()


def _name_architectures(monkeypatch, names):
    monkeypatch.setenv("EMOJAX_CUDA_ARCH", names)
    native_build.cuda_architectures.cache_clear()


def test_architectures_are_named_in_ascending_order(monkeypatch):
    _name_architectures(monkeypatch, "120,90")
    assert native_build.cuda_architectures() == ("90", "120")


def test_architectures_that_are_no_numbers_are_refused(monkeypatch):
    _name_architectures(monkeypatch, "sm_90")
    with pytest.raises(ValueError, match="EMOJAX_CUDA_ARCH is 'sm_90', expected numbers"):
        native_build.cuda_architectures()


@pytest.mark.parametrize(
    ("built", "machine", "serves"),
    [
        ("80_90", "90", True),
        ("80_90", "80", True),
        ("80_90", "89", True),  # of one generation, and later
        ("80_90", "100", True),  # by the PTX of the last
        ("86_90", "80", False),
        ("90_100", "80", False),
        ("80_100", "90", False),
    ],
)
def test_a_library_for_more_gpus_serves_this_one(built, machine, serves, tmp_path, monkeypatch):
    _name_architectures(monkeypatch, machine)
    key = native_build.build_key("cuda", "1.0")
    path = tmp_path / f"emojax_cuda_sm{built}-{key}.so"
    path.touch()
    (tmp_path / f"emojax_cuda_sm{machine}-0123-jaxlib-1.0.so").touch()  # of other sources
    found = [p for p in native_build.libraries("cuda", tmp_path, "1.0") if p.exists()]
    assert found == ([path] if serves else [])


def test_device_sources_are_no_part_of_a_cpu_library(tmp_path, monkeypatch):
    (tmp_path / "check").mkdir()
    (tmp_path / "a.cc").write_text("int a;")
    monkeypatch.setattr(native_build, "sources_folder", lambda: tmp_path)
    kinds = ("portable", "cuda", "emulated")

    def keys():
        return {kind: native_build.build_key(kind, "1.0") for kind in kinds}

    before = keys()
    assert len(set(before.values())) == 3
    (tmp_path / "b.cu").write_text("int b;")
    changed = {kind for kind, key in keys().items() if key != before[kind]}
    assert changed == {"cuda", "emulated"}
    before = keys()
    (tmp_path / "check" / "emulator.h").write_text("int c;")
    assert {kind for kind, key in keys().items() if key != before[kind]} == {"emulated"}


def test_without_nvcc_the_reason_is_named(tmp_path):
    code = """
        from emojax import native
        try:
            native.require(isa_name="cuda")
        except native.NativeError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "EMOJAX_CACHE": str(tmp_path),
            "EMOJAX_CUDA_ARCH": "90",
            "PATH": str(tmp_path),
            "CUDA_HOME": str(tmp_path),
            "CXX": "c++",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no CUDA kernels for jaxlib" in done.stdout
    assert "no nvcc was found" in done.stdout
    assert "install CUDA's toolkit, or name its folder in CUDA_HOME" in done.stdout


def test_calls_go_where_they_are_traced(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert native.platform() == "tpu"
    assert not native.wants_kernels("auto", np.dtype("float32"))
    with jax.default_device(jax.devices("cpu")[0]):
        assert native.platform() == "cpu"
        assert not native.is_device(native.isa())
    monkeypatch.setattr(native, "platform", lambda: "cuda")
    assert native.isa() == "cuda"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EMOJAX_DETERMINISTIC", "1", True),
        ("EMOJAX_DETERMINISTIC", "0", False),
        ("XLA_FLAGS", "--xla_gpu_deterministic_ops=true", True),
        ("XLA_FLAGS", "--xla_gpu_deterministic_ops --xla_other=1", True),
        ("XLA_FLAGS", "--xla_gpu_deterministic_ops=false", False),
        ("XLA_FLAGS", "--xla_gpu_exclude_nondeterministic_ops=true", True),
        ("XLA_FLAGS", "--xla_gpu_other_ops=true", False),
    ],
)
def test_determinism_is_asked_for(name, value, expected, monkeypatch):
    monkeypatch.delenv("EMOJAX_DETERMINISTIC", raising=False)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setenv(name, value)
    assert native.wants_determinism() == expected


def test_device_calls_queue_launches_and_nothing_else():
    # What XLA records in a graph neither allocates, copies, nor asks or waits for the stream.
    allowed = {"cudaStream_t", "cudaError_t", "cudaSuccess", "cudaGetErrorString"}
    used, handlers, traits = set(), 0, 0
    for path in (ROOT / "kernels").rglob("*.cu*"):
        code = re.sub(r"//.*", "", path.read_text())
        used |= set(re.findall(r"\bcuda[A-Z]\w*", code))
        handlers += code.count("XLA_FFI_DEFINE_HANDLER_SYMBOL(")
        traits += len(re.findall(r"EMOJAX_TRAITS\);", code))
    assert used - allowed == {"cudaLaunchKernel"}
    assert handlers == traits == len(native.OPERATIONS)


@pytest.fixture(scope="module")
def ptxas():
    """kernels/check/ptxas.py as a module."""
    path = ROOT / "kernels" / "check" / "ptxas.py"
    spec = importlib.util.spec_from_file_location("ptxas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_assembler_is_understood(ptxas):
    def entry(name, spill):
        return (
            f"ptxas info    : Compiling entry function '{name}' for 'sm_90'\n"
            f"ptxas info    : Function properties for {name}\n"
            f"    0 bytes stack frame, {spill} bytes spill stores, {spill} bytes spill loads\n"
            "ptxas info    : Used 60 registers, used 1 barriers, 14368 bytes smem\n"
        )

    blend = "_ZN6emojax6device11BlendKernelIfLi3EEEvNS0_7ForwardIT_EE"
    unblend = "_ZN6emojax6device13UnblendKernelIfLi12ELNS0_4ModeE2EEEvNS0_8BackwardIT_EE"
    double = blend.replace("KernelIf", "KernelId")
    rows, wrong = ptxas.numbers([entry(blend, 0) + entry(unblend, 0) + entry(double, 0)])
    text = ptxas.table(rows, ("90",))
    assert "| splat Blend 3 | 14368 | 60 |" in text
    assert "| splat Unblend 12 exact | 14368 | 60 |" in text
    assert len(text.splitlines()) == 4, "kernels of double are not shown"
    assert wrong == []
    _, wrong = ptxas.numbers([entry(double, 8) + "x.cu(3): warning #177-D: unused\n"])
    assert len(wrong) == 2
    # What is written is read again, and compared.
    report = f"<!-- ptxas of 0123 by nvcc 13.0 -->\n\n{text}\n\n{ptxas.END}\n| a | b | c |\n"
    assert ptxas.committed(report) == ("0123", "13.0", rows)
    assert ptxas.differences(rows, rows) == []
    rows["splat Blend 3"] |= {"90": "61"}
    said = ["splat Blend 3, 90: 61, the report says 60"]
    assert ptxas.differences(rows, ptxas.committed(report)[2]) == said


def test_the_report_of_registers_is_of_these_sources(ptxas):
    key, _, rows = ptxas.committed(ptxas.README.read_text())
    assert key == ptxas.key(native_build.CUDA_FLAGS), "python kernels/check/ptxas.py --write"
    for name, row in rows.items():
        assert set(row) == {"shared", *ptxas.ARCHITECTURES}, name
        assert all(0 < int(row[a]) <= 255 for a in ptxas.ARCHITECTURES), name
        assert int(row["shared"]) <= 48 * 1024, name


def test_the_key_of_the_report_follows_what_device_code_includes(ptxas, tmp_path, monkeypatch):
    (tmp_path / "kernels").mkdir()
    for name, text in {
        "a_cuda.cu": '#include "b.cuh"\n', "b.cuh": '#include "c.h"\n', "c.h": "", "d.h": "",
    }.items():  # fmt: skip
        (tmp_path / "kernels" / name).write_text(text)
    monkeypatch.setattr(ptxas, "ROOT", tmp_path)
    before = ptxas.key(("-O3",))
    assert before != ptxas.key(("-O2",))
    (tmp_path / "kernels" / "d.h").write_text("int d;")
    assert before == ptxas.key(("-O3",))
    (tmp_path / "kernels" / "c.h").write_text("int c;")
    assert before != ptxas.key(("-O3",))
