"""The pages say what the code does: generated ones are current, commands exist, named files are there."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from edge.cli import app
from edge.config import load_config
from edge.evidence import STRANGERS
from gate_controller.devices import CODECS
from sync import messages
from sync.signing import Signed, Spoken

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PORTAL_SAYS = ("hardware_sim/portal/edges/service.py", "hardware_sim/portal/edges/badge_desk.py")
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", GENERATOR["PAGES"])
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == GENERATOR["PAGES"][name](), "run `make docs`"


def test_every_described_setting_exists() -> None:
    known = {f"{table}.{field}" for table, kind in GENERATOR["TABLES"].items() for field in kind.__struct_fields__}
    assert set(GENERATOR["MEANING"]) == known


def test_every_kind_of_device_is_named() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert not [kind for kind in CODECS if f"`{kind}`" not in page]


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/configuration.md"])
def test_where_retention_is_told_the_folder_of_strangers_is_named(page: str) -> None:
    told = [
        line for line in (ROOT / page).read_text().replace("\n  ", " ").splitlines() if "keep_strangers_h" in line
    ]
    assert told
    assert all(f"`{STRANGERS}/`" in line for line in told)


def test_the_settings_example_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(GENERATOR["EXAMPLE"])
    assert set(load_config(file).lanes) == {"entry", "exit"}


def command_lines(text: str) -> list[str]:
    """Every `slagboom ...` line of a page, in code blocks and in the text, without comments and prompts."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        line.strip().removeprefix("$ ") for block in blocks for line in re.sub(r"\\\n", " ", block).splitlines()
    ]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for line in lines if re.match(r"(?:\S*/bin/)?slagboom ", line)]


def unknown_in(line: str) -> str | None:
    """What in a command line the program does not have: a command or an option; None when it has all."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            return f"command {name}"
        command = command.commands[name]
    options = {flag for parameter in command.params for flag in parameter.opts} | {"--help", "-h"}
    wrong = [word for word in words if word.startswith("-") and word.split("=")[0] not in options]
    return f"option {wrong[0]}" if wrong else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_line_of_a_page_exists(page: Path) -> None:
    wrong = [f"{line}: no {what}" for line in command_lines(page.read_text()) if (what := unknown_in(line))]
    assert not wrong


def test_the_readme_shows_commands() -> None:
    assert len(command_lines((ROOT / "README.md").read_text())) >= 5


@pytest.mark.parametrize("line", ["slagboom open", "slagboom read --jsn", "slagboom list chek x.csv"])
def test_a_wrong_command_line_is_found(line: str) -> None:
    assert command_lines(f"```\n$ {line}\n```\n") == [line]
    assert unknown_in(line)


def make_targets(text: str) -> set[str]:
    """Every `make ...` target that a page names in code."""
    return set(re.findall(r"(?:`|^\$ |^)make ([a-z]+)\b", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert make_targets(page.read_text()) <= known


def code_map(text: str) -> list[str]:
    """Paths of the code map: the first column, below the folder under which it is indented."""
    (block,) = re.findall(r"^## Code map\n.*?^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    folder, paths = "", []
    for line in filter(None, block.splitlines()):
        names = re.split(r"\s{2,}", line.strip())[0].split(", ")
        if line.startswith(" "):
            paths += [folder + name for name in names]
        else:
            folder = names[0]
            paths += names
    return paths


def test_the_code_map_names_what_exists() -> None:
    paths = code_map((ROOT / "docs" / "ARCHITECTURE.md").read_text())
    assert len(paths) > 30
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_code_map_names_every_module() -> None:
    """A module that nobody would find on the map is missing from it."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    named = {Path(path) for path in code_map(text)}
    folders = {path for path in named if (ROOT / path).is_dir()}
    missing = []
    for package in ("edge", "gate_controller", "recognition", "sync", "hardware_sim"):
        for path in (ROOT / package).rglob("*.py"):
            module = path.relative_to(ROOT)
            covered = module in named or (module.parent in folders and len(module.parts) > 2)
            if path.name != "__init__.py" and not covered:
                missing.append(module.as_posix())
    assert not missing


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert not [target for target in targets if not (page.parent / target).exists()]


def topics_in(*modules: str) -> set[str]:
    """Every topic suffix that these modules speak or listen on."""
    source = "".join((ROOT / module).read_text() for module in modules)
    return {*re.findall(r'topic\("([a-z/]+)"\)', source), *re.findall(r'"\+/([a-z/]+)"', source)}


def test_every_topic_of_either_side_is_in_the_protocol_and_no_other() -> None:
    told = {channel.suffix for channel in GENERATOR["WIRE"]["CHANNELS"]}
    edge, portal = topics_in("sync/portal.py", "sync/uplink.py"), topics_in(*PORTAL_SAYS)
    assert edge == told
    assert portal == told


def test_the_protocol_says_of_each_message_what_its_type_says() -> None:
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
    sent = {channel["messages"].popitem()[0].removeprefix("Signed") for channel in document["channels"].values()}
    subclasses = {*Spoken.__subclasses__(), *Signed.__subclasses__()} - {Signed}
    signed = {kind for kind in subclasses if kind.__module__.startswith("sync.")}
    assert sent == {kind.__name__ for kind in (messages.Message, *signed)}
    assert len(document["channels"]) == len(document["operations"]) == len(GENERATOR["WIRE"]["CHANNELS"])
    assert set(re.findall(r"#/components/schemas/(\w+)", (ROOT / "docs" / "asyncapi.yaml").read_text())) <= set(
        document["components"]["schemas"]
    )


def test_no_personal_field_is_part_of_an_event_body() -> None:
    schemas = GENERATOR["WIRE"]["schemas"]()
    assert "plate" not in schemas["Granted"]["properties"]
    assert "as_read" not in schemas["Basis"]["properties"]
