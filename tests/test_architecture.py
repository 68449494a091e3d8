"""How the code base is laid out: which folders there are, who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "model", "training")
MAY_IMPORT = {"model": {"model"}, "app": {"app", "model"}, "training": {"training", "model"}}
OURS = {*PACKAGES, "omninet", "tests"}
# Of extras, imported only where they are asked for.
OPTIONAL = {
    "model": {"pycocoevalcap", "sacrebleu"},
    "app": {"opentelemetry", "psycopg", "psycopg_pool", "qdrant_edge", "ray"},
}
HTTP = {"fastapi", "starlette", "uvicorn", "pydantic_settings", "multipart", "python_multipart"}


def source_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Top-level names of all that a file imports, at its head or in a function; of ours, the names of the packages."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (package_of(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from {package_of(f"{node.module}.{alias.name}") for alias in node.names}


def package_of(module: str) -> str:
    """``app`` of ``omninet.app.main``, ``torch`` of ``torch.nn``, ``omninet`` of what it has itself."""
    first, *others = module.split(".")
    return others[0] if first == "omninet" and others and others[0] in PACKAGES else first


def imports_of(package: str) -> set[str]:
    return {name for file in source_files(package) for name in imported(file)}


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}


def modules_of_extras() -> set[str]:
    """Names of the modules that only an extra of pyproject.toml installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    extras = names_of(wanted) - names_of(project["dependencies"]) - {"omninet"}
    installed = packages_distributions()
    return {module for module, owners in installed.items() if extras & {owner.lower() for owner in owners}}


def test_the_packages_are_the_three_of_the_design() -> None:
    assert {file.parent.name for file in ROOT.glob("*/__init__.py")} == {*PACKAGES, "omninet", "tests"}
    assert list(ROOT.glob("*.py")) == []
    assert {link.name: link.resolve() for link in (ROOT / "omninet").iterdir() if link.is_symlink()} == {
        package: ROOT / package for package in PACKAGES
    }


def test_every_folder_of_a_package_is_a_package() -> None:
    folders = {file.parent for package in PACKAGES for file in source_files(package)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_direction_of_imports(package: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in source_files(package)
        for name in imported(file)
        if name in OURS - MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["model", "training"])
def test_only_app_knows_http(package: str) -> None:
    assert imports_of(package) & HTTP == set()


@pytest.mark.parametrize("package", ["model", "app"])
def test_serving_needs_no_extra(package: str) -> None:
    extras = modules_of_extras()
    assert {"yaml", "pycocoevalcap", "pytest"} <= extras
    assert imports_of(package) & extras == OPTIONAL[package]


def test_tracing_is_imported_only_if_enabled() -> None:
    assert [file.name for file in source_files("app") if "opentelemetry" in imported(file)] == ["tracing.py"]
    program = """if True:
        import sys
        from omninet.app.main import create_app
        from omninet.app.settings import Settings

        create_app(Settings())
        print(*(n for n in sys.modules if n.startswith(("omninet.app.telemetry.tracing", "opentelemetry.sdk"))))
    """
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(("library", "home"), [("qdrant_edge", "edge.py"), ("psycopg", "postgres.py")])
def test_one_file_knows_each_library_of_an_index(library: str, home: str) -> None:
    assert [file.name for file in source_files("app") if library in imported(file)] == [home]


def test_only_the_cluster_knows_ray() -> None:
    known = {file.parent.name for file in source_files("app") if "ray" in imported(file)}
    assert known == {"cluster"}
    others = [file for file in source_files("app") if file.parent.name != "cluster"]
    assert [file.name for file in others if "omninet.app.cluster" in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    "module", ["omninet", "omninet.command", "omninet.app.cli", "omninet.model.cli", "omninet.training.cli"]
)
def test_a_command_line_costs_nothing_to_import(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    third_party = {name.partition(".")[0] for name in result.stdout.split()} & set(packages_distributions())
    before = set(sys.stdlib_module_names) | OURS
    assert {name for name in third_party - before if not name.startswith("_")} == set()


# What asks which output, modality or task it has before it, outside the files of these.
QUESTIONS = {
    "an output's name": r"\boutput\b(\"\])?\s*(==|!=|in \()",
    "an answer's type": r"isinstance\([^)]*\b(Answer|Caption|Label|Tagging|Text)\b",
    "a modality's type": r"isinstance\([^)]*\b(Vision|Language)(Config|Modality|Peripheral)\b",
    "a modality's name": r"[\"'](vision|language)[\"']",
    "a task's name": r"(==|!=|\bin) *[({[]?[\"'](caption|vqa|pos|activity)[\"']",
    "the first input for the picture": r"\.inputs\[0\]",
}
HOMES = ("model/modalities/", "model/outputs/", "model/tasks.py")
ALLOWED = {
    "model/network_config.py": "the paper's network, which is the default, names its peripherals",
    "model/official/importing.py": "the authors' network has these peripherals",
    "model/storage/upgrade.py": "older checkpoints had these peripherals",
    "model/commands/predict.py": "the first input of a command is the first of the task, whatever it is",
    "training/data/coco_text.py": "words of COCO-Text have a field of this name",
    "training/evaluate/shuffled.py": "tasks that know motion have one input, a clip",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_code_of_a_kind_is_in_its_own_files(question: str) -> None:
    asking = re.compile(QUESTIONS[question])
    files = {str(file.relative_to(ROOT)): file for package in PACKAGES for file in source_files(package)}
    assert [
        f"{name}:{number}"
        for name, file in files.items()
        if not name.startswith(HOMES) and name not in ALLOWED
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if asking.search(line)
    ] == []


def test_every_package_is_installed() -> None:
    """A folder that pyproject.toml does not list is in a clone, but not in a wheel or a container."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {file.parent.relative_to(ROOT) for package in PACKAGES for file in source_files(package)}
    assert sorted(listed) == sorted({"omninet", *(".".join(("omninet", *folder.parts)) for folder in there)})


MOST_LOOSE = {"app": 10, "training": 12}


@pytest.mark.parametrize("package", MOST_LOOSE)
def test_few_files_lie_loose(package: str) -> None:
    assert len(list((ROOT / package).glob("*.py"))) <= MOST_LOOSE[package]


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for file in source_files(package):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def module_of(file: Path) -> str:
    """``omninet.app.main`` of ``app/main.py``; a package is the name of its folder."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(("omninet", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def file_of(module: str) -> Path:
    """``app/main.py`` of ``omninet.app.main``; the folder's ``__init__.py`` of a package."""
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_at_run_time(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports of a file, at its head or in a function, but those under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif is_for_type_checkers(node):
            assert isinstance(node, ast.If)
            for other in node.orelse:
                yield from imports_at_run_time(other)
        else:
            yield from imports_at_run_time(node)


def modules_imported_by(file: Path, known: set[str]) -> set[str]:
    """Those of our modules that a file imports; of a package the submodule, where it is one that is named."""
    found: set[str] = set()
    for node in imports_at_run_time(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif not node.level:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in full}
    return found & known


def cycle_in(imports: Mapping[str, set[str]]) -> list[str]:
    """Return the modules of an import cycle, or an empty list."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each of our modules -> those of ours that it imports."""
    files = {module_of(file): file for package in PACKAGES for file in source_files(package)}
    return {module: modules_imported_by(file, set(files)) - {module} for module, file in files.items()}


def test_no_modules_import_each_other(imports: dict[str, set[str]]) -> None:
    assert sum(map(len, imports.values())) > len(imports)
    assert cycle_in(imports) == []


def test_the_model_process_imports_no_web_framework(imports: dict[str, set[str]]) -> None:
    """FastAPI would take memory and a tenth of the time in which the process gets ready."""
    reached, new = set[str](), {"omninet.app.local.process_host"}
    while new:
        reached |= new
        new = set[str]().union(*(imports[module] for module in new)) - reached
    assert "omninet.app.engine.engine" in reached
    assert [module for module in reached if "fastapi" in imported(file_of(module))] == []


def test_a_cycle_is_found() -> None:
    assert set(cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


def test_the_service_and_its_media_workers_import_no_torch() -> None:
    program = """if True:
        import sys
        import omninet.app.cli, omninet.app.main, omninet.app.http.server, omninet.app.media.sandbox

        print("torch" in sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False"]
