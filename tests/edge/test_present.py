import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge import present
from gate_controller.errors import ConfigError, StoreError

ROOT = Path(present.__file__).resolve().parent.parent


def test_a_json_line_keeps_letters_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    present.json_line({"b": "TÖL", "a": [1, None]})
    assert capsys.readouterr().out == '{"b": "TÖL", "a": [1, null]}\n'


def test_a_json_line_is_never_not_a_number() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        present.json_line({"a": float("nan")})


def test_a_json_line_with_a_broken_file_name_is_still_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    present.json_line({"image": os.fsdecode(b"a\xff.jpg")})
    assert capsysbinary.readouterr().out == b'{"image": "a?.jpg"}\n'


def test_cells_are_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    present.table("Title", ("A", "B"), [("[red]x[/red].jpg", None), (3, "granted")])
    out = capsys.readouterr().out
    assert "[red]x[/red].jpg" in out
    assert "Title" in out
    assert "granted" in out
    assert "None" not in out


def test_a_wide_table_in_a_pipe_is_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    present.table("", ("A", "B"), [("x" * 70, "y" * 70)])
    assert "x" * 70 + " │ " + "y" * 70 in capsys.readouterr().out


def test_tables_and_lines_can_go_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    present.table("", ("A",), [("cell",)], stderr=True)
    present.say("line [x]", stderr=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert "cell" in said.err
    assert said.err.endswith("line [x]\n")


def test_errors_are_whole_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    present.failure(StoreError("x" * 300))
    present.failure(ConfigError([f"p{n}" for n in range(60)]))
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "error: " + "x" * 300
    assert lines[1:51] == [f"error: p{n}" for n in range(50)]
    assert lines[51:] == ["error: and 10 more; mend these first"]


def test_no_bar_is_drawn_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with present.progress("reading", 2, lines=False) as bar:
        bar("a")
        bar(done=0)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_libraries_are_silenced_only_meanwhile(capfd: pytest.CaptureFixture[str]) -> None:
    with present.libraries_silenced():
        os.write(2, b"a library's own words\n")
    with pytest.raises(StoreError), present.libraries_silenced():
        raise StoreError("x")
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"


def on_a_terminal(code: str) -> str:
    """What Python code writes to a terminal that is its stderr; its stdout is a pipe."""
    master, slave = pty.openpty()
    written = io.BytesIO()

    def drain() -> None:
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                return
            written.write(data)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stderr=slave, stdout=subprocess.DEVNULL, check=True, timeout=60,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )  # fmt: skip
    finally:
        os.close(slave)
        reader.join(10)
        os.close(master)
    return written.getvalue().decode()


def test_a_terminal_sees_the_bar_move_and_errors_in_colour() -> None:
    shown = on_a_terminal(
        "import time\n"
        "from edge import present\n"
        "with present.progress('reading', 2, lines=True) as bar:\n"
        "    bar('one.jpg', done=0)\n"
        "    bar()\n"
        "    time.sleep(0.3)\n"
        "    bar()\n"
        "present.error('a.db: damaged [b]')\n"
    )
    assert "reading one.jpg" in shown
    assert "2/2" in shown
    assert "\x1b[1;31merror: \x1b[0ma.db: damaged [b]" in shown
