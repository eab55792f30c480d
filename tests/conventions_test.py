"""Conventions that a reviewer would otherwise have to remember."""

import ast
import importlib
import inspect
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "emojax"
FILES = sorted(PACKAGE.rglob("*.py"))

# Imports point down this list; folders and modules of one line do not know each other, unless a
# pair is named in ALLOWED.
LAYERS = (
    ("types", "geometry", "numerics", "config", "native_build", "opencv", "caches"),
    ("native",),
    ("gaussians", "splatting", "encoders"),
    ("deformation",),
    ("head",),
    ("losses", "experts", "data"),
    ("emotion", "speech"),
    ("puppet",),
    ("training", "drive", "metrics"),
    ("viewer",),
)
ALLOWED = {
    ("geometry", "numerics"),
    # A cloud is drawn by its colour: render() evaluates the harmonics of a cloud.
    ("splatting", "gaussians"),
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def _module(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path):
    """Names of the emojax modules that a file imports, first level only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "emojax" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    module = _module(path)
    if module == "__init__":
        return
    assert module in LEVEL, f"{module} has no place in LAYERS: give it one"
    for other in _imports(path):
        if other == module or other == "__version__":
            continue
        down = LEVEL[other] < LEVEL[module]
        assert down or (module, other) in ALLOWED, f"{path}: {module} may not import {other}"


def test_every_folder_has_an_inhabitant():
    for folder in PACKAGE.rglob("*/"):
        if folder.name.startswith("__") or folder.name in ("_native", "_kernels"):
            continue
        files = [f for f in folder.glob("*.py") if f.read_text().strip()]
        assert files, f"{folder} is an empty room"


def _public_functions():
    for path in FILES:
        if path.name == "__init__.py" or path.name.startswith("_"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            is_own = getattr(value, "__module__", None) == name
            if attribute.startswith("_") or not is_own or not inspect.isroutine(value):
                continue
            yield pytest.param(value, id=f"{name}.{attribute}")


@pytest.mark.parametrize("function", list(_public_functions()))
def test_signatures(function):
    signature = inspect.signature(function)
    for name, parameter in signature.parameters.items():
        positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        assert not (positional and parameter.default is not parameter.empty), (
            f"{name} has a default: options are keyword only"
        )
        assert name not in ("rng", "rng_key", "seed_key"), f"{name}: PRNG keys are called key"
        if parameter.kind not in (parameter.VAR_KEYWORD,):
            assert parameter.annotation is not parameter.empty, f"{name} has no type"
    assert signature.return_annotation is not signature.empty, "no return type"


@pytest.mark.parametrize("function", list(_public_functions()))
def test_docstrings(function):
    doc = inspect.getdoc(function)
    assert doc, "no docstring"
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        # Either an Args entry, or (for one-liners) the name itself in the text.
        assert re.search(rf"\b{re.escape(name)}\b", doc) or len(doc.splitlines()) == 1, (
            f"{name} is not described"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_state_their_contract(path):
    if not path.read_text().strip():
        return
    assert ast.get_docstring(ast.parse(path.read_text())), "no module docstring"


def test_every_module_has_its_test():
    untested = {"types", "native_build"}  # nouns; tested with native
    for path in FILES:
        if path.name == "__init__.py" or path.stem in untested:
            continue
        test = ROOT / "tests" / path.relative_to(PACKAGE).parent / f"{path.stem}_test.py"
        assert test.exists(), f"{test.relative_to(ROOT)} is missing"


def test_text_speaks_of_the_project_alone():
    """No absolute path of somebody's machine in any tracked text."""
    pattern = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/\w+")
    for path in ROOT.rglob("*"):
        hidden = any(part.startswith((".", "build")) for part in path.relative_to(ROOT).parts)
        if hidden or path.suffix not in (".py", ".md", ".h", ".cc", ".cu", ".txt", ".json"):
            continue
        found = pattern.search(path.read_text(errors="ignore"))
        assert not found, f"{path}: {found.group()}"
