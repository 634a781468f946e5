"""How many wrong guest codes a lane bears: a short code can be guessed by whoever may try for long enough.

Only entries are limited. An exit lets out whoever has an open session, and its own policy judges the others.
Not here: QR passes, which are too long to be guessed.
"""

from dataclasses import replace
from typing import Final

from gate_controller.credentials import CodeRead
from gate_controller.facts import Basis, Direction, Granted, Matched, Refused
from gate_controller.lane_scan import Scan
from gate_controller.reasons import Reason

WRONG_CODES_MAX: Final = 5
WRONG_CODES_WITHIN_S: Final = 120.0
"""So many wrong codes in so long, and none is looked at any more until the first of them is as old.

That is at most 3,600 tries a day at a lane, each before a waiting vehicle, of 244 million codes of six characters.
"""


def limited(scan: Scan, read: CodeRead, verdict: Granted | Refused) -> Granted | Refused:
    """The verdict on a code, or that nobody looks at one now; a right one is then as good as a wrong one."""
    asked_of_the_list = not isinstance(verdict, Refused) or verdict.reason is not Reason.DEVICE_INACTIVE
    if read.code is None or verdict.direction is Direction.OUT or not asked_of_the_list:
        return verdict
    lane = scan.lane
    wrong = tuple(at for at in lane.wrong_codes if lane.now < at + WRONG_CODES_WITHIN_S)
    if len(wrong) >= WRONG_CODES_MAX:
        return _unseen(verdict)
    if isinstance(verdict, Refused) and verdict.reason is Reason.CODE_WRONG:
        wrong = (*wrong, lane.now)
    scan.put(wrong_codes=wrong)
    return verdict


def _unseen(verdict: Granted | Refused) -> Refused:
    """Nothing in it tells whether the code was right."""
    basis: Basis = replace(verdict.basis, matched=Matched.NONE, as_matched="")
    return Refused(verdict.lane, verdict.direction, Reason.TOO_MANY_TRIES, None, "", "", basis)
