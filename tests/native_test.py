"""Finding, building and refusing kernels."""

import os
import pathlib
import subprocess
import sys
import textwrap

import jaxlib
import pytest

from emojax import caches, native, native_build

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _python(code, **environment):
    """Runs code in a fresh interpreter; returns its output, both streams together."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


DRAW = """
    import jax
    from emojax import native, splatting
    from tests import synthetic
    scene = synthetic.scene(20, 16, 16)
    draw = lambda: jax.jit(lambda *a: splatting.splat(*a, scene.camera).image.sum())(*scene[:5])
    print(float(draw()) > 0, native.available())
    draw()
"""


def test_no_compiler_falls_back_to_xla_and_says_so_once(tmp_path):
    out = _python(DRAW, EMOJAX_CACHE=str(tmp_path), CXX="/nonexistent/compiler")
    assert "True False" in out
    assert out.count("RuntimeWarning") == 1
    assert "/nonexistent/compiler cannot be run" in out
    assert "use XLA, slower" in out


def test_a_failing_compiler_is_reported_in_one_line(tmp_path):
    out = _python(DRAW, EMOJAX_CACHE=str(tmp_path), CXX="false")
    assert "True False" in out
    assert "false failed with status 1" in out


def test_switched_off_is_silent(tmp_path):
    out = _python(DRAW, EMOJAX_CACHE=str(tmp_path), EMOJAX_NATIVE="0")
    assert out.strip() == "True False"


def test_kernels_of_another_jaxlib_are_found_before_they_are_registered(tmp_path):
    # They lie in the cache, beside where ours would be; without a compiler they are named.
    (tmp_path / "emojax_cpu_avx2-0123456789abcdef-jaxlib-0.0.1.so").write_bytes(b"not loaded")
    out = _python(DRAW, EMOJAX_CACHE=str(tmp_path), CXX="/nonexistent/compiler")
    assert "True False" in out
    assert f"no CPU kernels for jaxlib {jaxlib.__version__}" in out
    assert "(there are some for jaxlib 0.0.1)" in out


@pytest.fixture
def compiler(tmp_path):
    """A compiler's command that costs nothing: what it links is the library that tests run with.

    That the real one compiles these sources by this very code is what built that library.
    """
    isa = os.environ.get("EMOJAX_ISA") or native_build.supported_isas()[0]
    built = caches.user_folder() / native_build.library_name(isa, jaxlib.__version__)
    if not built.exists():
        pytest.skip(f"needs the library that the first process of the tests builds: {built.name}")
    path = tmp_path / "compiler"
    path.write_text(
        "#!/bin/sh\n"
        "for last; do :; done\n"
        f'case "$*" in *-shared*) cp "{built}" "$last" ;; *) : >"$last" ;; esac\n'
    )
    path.chmod(0o755)
    return {"CXX": str(path), "EMOJAX_ISA": isa}


@pytest.mark.usefixtures("kernels")
def test_a_library_that_lies_about_its_name_is_rebuilt_not_registered(compiler, tmp_path):
    # Another jaxlib's library under our name: its own key gives it away.
    isa, cache = compiler["EMOJAX_ISA"], {"EMOJAX_CACHE": str(tmp_path)}
    library = tmp_path / native_build.library_name(isa, jaxlib.__version__)
    source, key = tmp_path / "other.cc", native_build.build_key(isa, "0.0.1")
    source.write_text(f'extern "C" const char* emojax_build_key() {{ return "{key}"; }}')
    command = [*native_build.compiler(), "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    out = _python(DRAW, **cache, **compiler)
    assert "building CPU kernels" in out
    assert "True True" in out
    # And now it is in place.
    assert "building" not in _python(DRAW, **cache, **compiler)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("content", [b"", b"\x7fELF but no more"])
def test_a_damaged_library_is_rebuilt(content, tmp_path):
    isa = native_build.supported_isas()[-1]
    (tmp_path / native_build.library_name(isa, jaxlib.__version__)).write_bytes(content)
    key = native_build.build_key(isa, jaxlib.__version__)
    path = tmp_path / native_build.library_name(isa, jaxlib.__version__)
    assert native._load(path, key) is None
    assert native._load(tmp_path / "absent.so", key) is None


@pytest.mark.usefixtures("kernels")
def test_a_closed_cache_is_named_and_a_temporary_folder_serves(compiler, tmp_path):
    (tmp_path / "closed").touch()  # a file: nobody can write below it, root included
    (tmp_path / "temporary").mkdir()
    places = {"EMOJAX_CACHE": str(tmp_path / "closed"), "TMPDIR": str(tmp_path / "temporary")}
    out = _python(DRAW, **compiler, **places)
    assert "True True" in out
    assert f"{tmp_path / 'closed'} is closed to us" in out
    assert "XDG_CACHE_HOME" in out
    assert "RuntimeWarning" not in out
    # It is kept there, too.
    assert "building" not in _python(DRAW, **compiler, **places)


def test_key_follows_sources_flags_and_jaxlib(tmp_path, monkeypatch):
    key = native_build.build_key("portable", "1.0")
    assert key != native_build.build_key("portable", "1.1")
    if len(native_build.buildable_isas()) > 1:
        assert key != native_build.build_key("avx2", "1.0")
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "a.cc").write_text("int a;")
    monkeypatch.setattr(native_build, "sources_folder", lambda: tmp_path / "kernels")
    assert key != native_build.build_key("portable", "1.0")


def test_unknown_isa_is_named():
    out = _python(
        """
        from emojax import native
        try:
            native.isa()
        except ValueError as error:
            print(error)
        """,
        EMOJAX_ISA="avx1024",
    )
    assert "EMOJAX_ISA is 'avx1024', expected one of" in out


def test_require_names_the_reason(tmp_path):
    out = _python(
        """
        from emojax import native
        try:
            native.require()
        except native.NativeError as error:
            print(error)
        """,
        EMOJAX_NATIVE="0",
    )
    assert "switched off by EMOJAX_NATIVE=0; unset it" in out


@pytest.mark.usefixtures("kernels")
def test_negative_thread_limit_is_refused():
    with pytest.raises(ValueError, match="threads is -1, expected at least 0"):
        native.set_thread_limit(-1)
