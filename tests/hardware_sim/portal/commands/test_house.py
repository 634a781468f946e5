"""`slagboom portal account` and `mail`: with a portal at work and without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from hardware_sim.broker import free_port
from hardware_sim.portal.commands import house
from tests.running_site import running, until_said

Slagboom = Callable[..., Any]


def test_accounts_without_a_running_portal(slagboom: Slagboom, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    slagboom("portal", "init", folder)
    (row,) = slagboom(
        "portal", "account", "add", folder, "olga@example.com", "--role", "operator", "--json"
    ).objects()
    assert (row["email"], row["roles"], row["must_change"]) == ("olga@example.com", ["operator"], True)
    assert "logs in with the code" in slagboom("portal", "account", "reset", folder, "olga@example.com").out
    assert "olga@example.com" in slagboom("portal", "account", "list", folder).out
    assert slagboom("portal", "mail", folder).out == ""
    for wrong in (("olga@example.com",), ("x", "--role", "king"), ("x", "--site", "nowhere"), ("a b",)):
        said = slagboom("portal", "account", "add", folder, *wrong)
        assert said.code == 2, wrong
        assert said.err.startswith("error: ")
    assert slagboom("portal", "account", "reset", folder, "nobody").code == 2
    assert house.account.info.help


def test_the_pages_are_served_beside_the_gates(slagboom: Slagboom, tmp_path: Path) -> None:
    folder, log, port = tmp_path / "p", tmp_path / "log", free_port()
    slagboom("portal", "init", folder)
    web = f"127.0.0.1:{free_port()}"
    with running(log, "portal", "serve", str(folder), "--broker", f"127.0.0.1:{port}", "--web", web) as child:
        until_said(log, f"pages at http://{web}")
        until_said(log, "serves by the broker")
        assert slagboom("portal", "account", "add", folder, "olga", "--email", "olga@example.com").code == 0
        with httpx.Client(base_url=f"http://{web}", trust_env=False, follow_redirects=True, timeout=60) as client:
            page = client.get("/forgotten")
            token = page.text.split('name="_csrf" value="')[1].split('"')[0]
            client.post("/forgotten", data={"_csrf": token, "name": "olga"})
        (letter,) = slagboom("portal", "mail", folder, "olga@example.com", "--json").objects()
        assert f"http://{web}/password/" in letter["body"]
        assert "Set a new password" in slagboom("portal", "mail", folder).out
        child.terminate()
        assert child.wait(30) == 0
    assert "Traceback" not in log.read_text()
