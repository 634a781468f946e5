"""Writes docs/requirements.md: every requirement, what it means here, and the story that proves it.

The stories say themselves what they prove.
"""

from typing import Final

from hardware_sim.scenarios import PROVES
from hardware_sim.stories.registry import SYSTEMS

MEANING: Final[dict[str, dict[int, str]]] = {
    "Company parking": {
        1: "A manager gives permits to users and groups, for a site or one gate, for an action and a schedule.",
        2: "Private and business parking are kept apart: a session's contract and payer are fixed before entry.",
        3: "The first login with what was sent sets a password of one's own; until then there is no other page.",
        4: "Every user has an external id, unique within the customer.",
        5: "The external id is copied into each session and stays there, whatever is edited later.",
        6: "A name is optional; nothing at a gate needs one.",
        7: "A user has several plates, and one of the vehicles is parked at a time.",
        8: "A user has at least one usable credential, checked when it is entered.",
        9: "Plates are added later, and count without a restart.",
        10: "A plate has one canonical form; entered and matched are both shown, odd ones with a warning.",
        11: "A change counts at once; the portal shows on how many gates it is applied.",
        12: "A user is switched off, on, or deleted at any time; whoever is inside still gets out.",
        13: "A private contract can name the customer number of an account elsewhere.",
        14: "A manager has the activation mailed, to the user only; plates and badges work without it.",
        15: "The activation code is scanned once, shows what is known already, and is no pass at a gate.",
        16: "A private contract is chosen only once it has a payment profile.",
    },
    "Fleet desk": {
        17: "An account begins when the mail address is confirmed; the desk lists those who registered beforehand.",
        18: "A subscriber has a reference site, which orders the desk's list and forbids nothing.",
        19: "A copy of the licence stays at the portal; an edge knows only whether it counts, and until when.",
        20: "The terms are accepted before anybody is enrolled.",
        21: "The mail after registering names the manager and the place to go to.",
        22: "Clerk and subscriber check the data together, contact first, licence second.",
        23: "Without a validated licence nobody drives; riding along is allowed, and so is parking.",
        24: "The badge tapped at the desk is assigned to the chosen user, who gets a number.",
        25: "At the cabinet, the badge leads to the user, the reservation of now and here, and a key.",
        26: "A subscriber has two contracts, and a reservation names the one that pays.",
        27: "The service is usable once the desk has checked and the badge is handed over.",
        28: "A forgotten password is set anew by a link to the account's own address; nobody is shown one.",
        61: "Register by mail address, confirm by a link, fill in the form.",
        62: "Subscribers manage their account and reservations; desk and gate know at once.",
        63: "Completing the file makes both contracts, or none.",
    },
    "Partner accounts": {
        29: "Partner status is granted by the operator alone.",
        30: "A customer accepts the link to a partner before the partner learns anything.",
        31: "A partner sees the list of the customers that are linked.",
        32: "An owner hands over some devices or all that there are, one by one.",
        33: "A delegation counts once the partner has accepted it too; until then the owner pays.",
        34: "Who pays is stamped at the scan, and only granted scans are counted.",
        35: "The owner never loses sight of a device; the partner sees what happens while the delegation lasts.",
        36: "Either side ends it at any time; the time of the scan decides, however late it arrives.",
        37: "A copied device begins inactive, with an identity of its own and without secrets.",
        38: "A device is claimed with serial and one-time code before it gets any data.",
        39: "Both ways of a QR code: a pass scanned at the gate, and a changing code that the device shows.",
        40: "When credits run out, nothing is dropped and no exit is blocked; somebody is warned.",
        64: "Support asks for a customer to be linked, and the customer's word makes it count.",
        65: "Who is no partner has no page of customers at all.",
        66: "The partner is mailed each request, and answers it after logging in.",
        67: "An account begins with 100 credits; balance, use and a warning are shown.",
        68: "Events go on to other systems by webhook and mail rules, with delivery status and replay.",
    },
    "App activation": {
        41: "Activation waits until broker, list and clock are ready.",
        42: "Each customer is activated alone, confirmed, and written down.",
        43: "Telephone and mail address are there, and nobody else's, before activation.",
        44: "The app's credential is pending until it is set up; other credentials do not wait.",
        45: "A code comes by SMS, counts once, and bears few tries.",
        46: "A user's id never changes; a change of the list that tries is refused whole.",
        47: "The driver logs in with address and code, sets a password, and logs in again with it.",
        48: "Last of all the driver, or a clerk of several sites, chooses a site; only the own ones are offered.",
        49: "Consent is kept with its purpose, time and version.",
        69: "The way to the app is shown as a QR code, and mailed where there is an address; a site needs its own.",
    },
    "Viewing codes": {
        50: "An access code is never mailed; authorised staff read it in the customer's details, audited.",
        51: "A customer's code shows all sites and devices; it is off until somebody switches it on.",
        52: "A site's code shows that site, and nothing elsewhere.",
        53: "Both kinds live beside each other, and the code that is entered decides what is seen.",
        54: "A code may need the device's token as second secret; failures are told in the same words.",
        55: "A device's token is made once, is its own, and never changes.",
        56: "A code that leaked is made anew; the old one ends at once, open pages included.",
        57: "A code is switched off and ends at once; others are untouched.",
    },
    "Across": {
        58: "Mandatory fields are marked, and a missing one is named, on pages, in imports and by commands.",
        59: "Fleet managers and travel managers both send activations; only the first edit plates.",
        60: "Rules fit single users, groups, sites and gates.",
    },
}


def stories_of(number: int) -> list[str]:
    """Names of the stories that prove a requirement."""
    systems = [name for name, story in SYSTEMS.items() if number in story.proves]
    return [*systems, *(name for name, numbers in PROVES.items() if number in numbers)]


def page() -> str:
    """The page."""
    parts = [
        "# Requirements",
        "<!-- Written by docs/requirements_page.py from the stories; `make docs` writes it anew. -->",
        "Each story is played by a test, through a real daemon, broker, database and portal, and by its command, "
        "visibly; `make stories` plays those of all systems. A test that proves a requirement is never skipped: it "
        "passes, or the build fails.",
    ]
    for system, meanings in MEANING.items():
        rows = [_row(number, meanings[number]) for number in sorted(meanings)]
        parts += [
            f"## {system}",
            "| No. | Means | Story | Command | Result |\n|---|---|---|---|---|\n" + "\n".join(rows),
        ]
    return "\n\n".join(parts) + "\n"


def _row(number: int, meaning: str) -> str:
    names = stories_of(number)
    commands = ", ".join(f"`slagboom sim {name}`" for name in names)
    return f"| {number} | {meaning} | {', '.join(names)} | {commands} | {'proven' if names else 'missing'} |"
