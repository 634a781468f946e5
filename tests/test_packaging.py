"""The built wheel, installed outside the checkout beside its declared dependencies only, does what it should.

The other tests import the checkout and would not see a file that the wheel forgets, or a package that is used but
declared for development only. Dependencies are linked from the environment that runs the tests, so that nothing is
fetched; which ones are linked follows from the wheel's own metadata.
"""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement

from recognition.training.draw import Freedom, draw_plate

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"edge", "gate_controller", "recognition", "sync", "hardware_sim"}
NEEDED = tuple(
    f"recognition/models/{name}" for name in ("ocr.onnx", "ocr.yaml", "detector.onnx", "aligner.onnx", "SHA256SUMS")
)


def run(command: list[str | Path], cwd: Path, timeout_s: float = 300) -> str:
    """Run a command without anything of this process's Python; its output, or a failure that shows it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--no-index", "--no-build-isolation", "-w", folder, ROOT], cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment that holds the wheel and what it declares."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", home], cwd=home.parent)
    pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], cwd=home.parent)
    (packages,) = home.glob("lib/python*/site-packages")
    (own,) = packages.glob("slagboom-*.dist-info")
    for found in declared(Distribution.at(own), {"demo"}):
        link(found, packages)
    return home / "bin"


def declared(start: Distribution, extras: set[str]) -> list[Distribution]:
    """Every distribution that one declares, directly or through others, for this machine."""
    found: dict[str, Distribution] = {}
    todo = [(start, extras)]
    while todo:
        current, wanted = todo.pop()
        for requirement in map(Requirement, current.requires or ()):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in wanted | {""}):
                continue
            if requirement.name not in found:
                found[requirement.name] = distribution(requirement.name)
                todo.append((found[requirement.name], requirement.extras))
    return list(found.values())


def link(found: Distribution, packages: Path) -> None:
    """Put a distribution's modules and metadata into another environment by links."""
    tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        target = packages / top
        if not target.exists():
            target.symlink_to(Path(str(found.locate_file(top))))


def test_wheel_holds_the_five_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pt", ".pth"))]


def test_wheel_holds_models_schema_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert set(NEEDED) <= set(names)
    schema = [path.relative_to(ROOT).as_posix() for path in (ROOT / "sync" / "schema").glob("*.sql")]
    assert schema
    assert set(schema) <= set(names)
    assert {name.rsplit("/", 1)[-1] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def test_wheel_holds_every_data_file_of_the_packages(wheel: Path) -> None:
    """What lies in a package and is no bytecode is shipped."""
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not wanted - names


def test_version_is_told_by_the_installed_program(installed: Path, wheel: Path) -> None:
    version = wheel.name.split("-")[1]
    assert run([installed / "slagboom", "--version"], cwd=installed).split() == ["slagboom", version]


def test_modules_come_from_the_wheel(installed: Path) -> None:
    for package in sorted(PACKAGES):
        where = run([installed / "python", "-c", f"import {package}; print({package}.__file__)"], cwd=installed)
        assert Path(where).is_relative_to(installed.parent)


def test_installed_program_reads_a_drawn_plate(installed: Path, tmp_path: Path) -> None:
    plate = draw_plate(
        ("AB", "123", "CD"), "F", np.random.default_rng(1), freedom=Freedom(jitter=0.0, extras=False)
    )
    scene = np.full((480, 640, 3), 90, np.uint8)
    height, width = (size // 2 for size in plate.shape[:2])
    scene[220 : 220 + height, 190 : 190 + width] = cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA)
    picture = tmp_path / "plate.png"
    cv2.imwrite(str(picture), scene)
    answer = json.loads(run([installed / "slagboom", "read", picture, "--json"], cwd=tmp_path))
    assert [plate["text"] for plate in answer["plates"]] == ["AB-123-CD"]


def test_installed_program_plays_a_scenario(installed: Path, tmp_path: Path) -> None:
    """The whole way once, from the wheel: world, camera, reader, decision, journal, portal."""
    shown = run([installed / "slagboom", "sim", "stranger", "--folder", tmp_path / "site"], cwd=tmp_path)
    assert "unknown_credential" in shown
    assert (tmp_path / "site" / "slagboom.db").is_file()
