"""A person's browser over real HTTP: keeps cookies, follows links by their words, fills in forms by their labels.

It knows of a page only what a person sees: hidden fields travel along by themselves, and what a page does not offer
cannot be sent. `post` is for whoever does not behave.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

import httpx

from gate_controller.errors import SlagboomError

TIMEOUT_S: Final = 60.0
_VOID: Final = frozenset({"input", "link", "meta", "br", "hr", "img"})
_ASIDE: Final = frozenset({"style", "script", "title", "svg"})


class NotOnThePage(SlagboomError):
    """A story looked for something that the page does not show."""


@dataclass(slots=True)
class Control:
    """A field as it stands; `choices` are (value, what is read)."""

    name: str
    kind: str
    label: str = ""
    value: str = ""
    ticked: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)
    mandatory: bool = False


@dataclass(slots=True)
class FormSeen:
    """A form of a page with the words on its button."""

    action: str
    method: str
    in_parts: bool
    controls: list[Control] = field(default_factory=list)
    button: str = ""


@dataclass(slots=True)
class Link:
    """A link and its words."""

    text: str
    path: str


class _Reader(HTMLParser):
    """Reads what a person sees of a page: words, links, forms, and which label is whose."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[Link] = []
        self.forms: list[FormSeen] = []
        self._open: list[str] = []
        self._link: Link | None = None
        self._label: tuple[str, list[str]] | None = None
        self._labels: dict[str, str] = {}
        self._ids: dict[str, Control] = {}
        self._in_label: Control | None = None
        self._control: Control | None = None
        self._legend = ""
        self._button = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "a" and "href" in given:
            self._link = Link("", given["href"])
            self.links.append(self._link)
        elif tag == "form":
            self.forms.append(FormSeen(given.get("action", ""), given.get("method", "get"), "enctype" in given))
        elif tag == "label":
            self._label, self._in_label = (given.get("for", ""), []), None
        elif tag == "legend":
            self._label, self._legend = ("", []), ""
        elif tag in ("input", "select", "textarea"):
            self._begin_control(tag, given)
        elif tag == "option" and self._control is not None:
            self._control.choices.append((given.get("value", ""), ""))
            if "selected" in given:
                self._control.value = given.get("value", "")
        elif tag == "button":
            self._button = True
        elif tag in ("p", "li", "tr", "div", "dt", "h1", "h2"):
            self.words.append("\n")
        elif tag in ("td", "th", "dd", "label"):
            self.words.append(" ")

    def _begin_control(self, tag: str, given: Mapping[str, str]) -> None:
        kind = given.get("type", "text") if tag == "input" else tag
        control = Control(given.get("name", ""), kind, value=given.get("value", ""))
        control.ticked, control.mandatory = "checked" in given, "required" in given
        if self.forms:
            self.forms[-1].controls.append(control)
        if "id" in given:
            self._ids[given["id"]] = control
        if self._label is not None:
            self._in_label = control
        if tag in ("select", "textarea"):
            self._control = control

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "label" and self._label is not None:
            whose, words = self._label
            text = _plain("".join(words)).removesuffix("*").strip()
            if self._in_label is not None:
                self._in_label.label = f"{self._legend}: {text}" if self._legend else text
            elif whose:
                self._labels[whose] = text
            self._label = None
        elif tag == "legend" and self._label is not None:
            self._legend, self._label = _plain("".join(self._label[1])).removesuffix("*").strip(), None
        elif tag == "fieldset":
            self._legend = ""
        elif tag in ("select", "textarea"):
            self._control = None
        elif tag == "a":
            self._link = None
        elif tag == "button":
            self._button = False

    def handle_data(self, data: str) -> None:
        if not _ASIDE.isdisjoint(self._open):
            return
        if self._control is not None:
            if self._control.kind == "textarea":
                self._control.value += data
            elif self._control.choices:
                value, text = self._control.choices[-1]
                self._control.choices[-1] = (value, text + data)
            return
        self.words.append(data)
        if self._link is not None:
            self._link.text += data
        if self._label is not None:
            self._label[1].append(data)
        if self._button and self.forms:
            self.forms[-1].button += data

    def finish(self) -> None:
        for id_, text in self._labels.items():
            if id_ in self._ids:
                self._ids[id_].label = text


@dataclass(slots=True)
class Shown:
    """A page as a person sees it."""

    status: int
    path: str
    text: str
    html: str
    links: list[Link]
    forms: list[FormSeen]
    headers: httpx.Headers
    body: bytes

    def __contains__(self, words: str) -> bool:
        return words in self.text

    def lines(self) -> list[str]:
        """Lines with words on them."""
        return [line for line in map(str.strip, self.text.splitlines()) if line]

    def line_with(self, words: str) -> str:
        """The first line with these words. Raises NotOnThePage."""
        found = [line for line in self.lines() if words in line]
        if not found:
            raise NotOnThePage(f"{self.path}: no line has {words!r}:\n{self.text}")
        return found[0]


class Browser:
    """One person's browser; `page` is what it shows now."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.page: Shown
        # A story's people share a machine, not a network: no proxy of the environment comes between.
        self.client = httpx.AsyncClient(
            base_url=url, follow_redirects=True, timeout=TIMEOUT_S, trust_env=False, headers={"Origin": url}
        )

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def open(self, path: str) -> Shown:
        """Open a page by its path, or by a whole address such as one from a mail."""
        return self._show(await self.client.get(path))

    async def follow(self, words: str) -> Shown:
        """Follow the link with these words. Raises NotOnThePage."""
        for link in self.page.links:
            if _plain(link.text) == words:
                return await self.open(link.path)
        raise NotOnThePage(
            f"{self.page.path}: no link says {words!r}; there are {[*map(_link_text, self.page.links)]}"
        )

    async def submit(
        self, button: str, fill: Mapping[str, str | bool | Sequence[str]] | None = None, **files: tuple[str, bytes]
    ) -> Shown:
        """Fill in the form that has this button, by labels, and press it.

        Choices are named by their words; of several ticks (`Roles`), the words of all that are to be ticked.
        `files` are by field name. Raises NotOnThePage.
        """
        form = self._form(button)
        for label, value in (fill or {}).items():
            _fill(form, label, value, self.page.path)
        fields: dict[str, list[str]] = {}
        for control in form.controls:
            if control.name and control.kind != "file" and (control.kind != "checkbox" or control.ticked):
                fields.setdefault(control.name, []).append(control.value)
        path = form.action or self.page.path
        if form.in_parts:
            sent: dict[str, tuple[str, bytes]] = {
                one.name: files.get(one.name, ("", b"")) for one in form.controls if one.kind == "file"
            }
            return self._show(await self.client.post(path, data=fields, files=sent))
        return self._show(await self.client.post(path, data=fields))

    async def post(self, path: str, fields: Mapping[str, str | list[str]]) -> Shown:
        """Send what no form of ours would send."""
        return self._show(await self.client.post(path, data=dict(fields)))

    def hidden(self, button: str) -> dict[str, str]:
        """The hidden fields of the form that has this button, for `post`."""
        return {one.name: one.value for one in self._form(button).controls if one.kind == "hidden"}

    def _form(self, button: str) -> FormSeen:
        for form in self.page.forms:
            if _plain(form.button) == button:
                return form
        there = [_plain(form.button) for form in self.page.forms]
        raise NotOnThePage(
            f"{self.page.path}: no form has the button {button!r}; there are {there}:\n{self.page.text}"
        )

    def _show(self, answer: httpx.Response) -> Shown:
        reader = _Reader()
        html = answer.text if "html" in answer.headers.get("content-type", "") else ""
        reader.feed(html)
        reader.finish()
        text = "\n".join(_plain(line) for line in "".join(reader.words).splitlines())
        self.page = Shown(
            answer.status_code,
            answer.url.raw_path.decode(),
            text,
            html,
            reader.links,
            reader.forms,
            answer.headers,
            answer.content,
        )
        return self.page


def _fill(form: FormSeen, label: str, value: str | bool | Sequence[str], path: str) -> None:
    several = [one for one in form.controls if one.kind == "checkbox" and one.label.startswith(f"{label}: ")]
    if several and not isinstance(value, str | bool):
        wanted = {f"{label}: {one}" for one in value}
        if missing := wanted - {one.label for one in several}:
            raise NotOnThePage(f"{path}: no choice {sorted(missing)}; there are {[one.label for one in several]}")
        for one in several:
            one.ticked = one.label in wanted
        return
    found = [one for one in form.controls if one.label == label]
    if not found:
        there = [one.label for one in form.controls if one.label]
        raise NotOnThePage(f"{path}: no field is called {label!r}; there are {there}")
    control = found[0]
    if control.kind == "checkbox":
        control.ticked = bool(value)
    elif control.kind == "select":
        chosen = [known for known, text in control.choices if _plain(text) == value]
        if not chosen:
            raise NotOnThePage(f"{path}: {label} has no choice {value!r}; there are {control.choices}")
        control.value = chosen[0]
    else:
        control.value = str(value)


def _link_text(link: Link) -> str:
    return _plain(link.text)


def _plain(text: str) -> str:
    return " ".join(text.split())
