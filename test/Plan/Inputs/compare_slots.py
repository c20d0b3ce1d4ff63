"""Fails where the slots of planned models differ. usage: compare_slots.py PLAN..."""

import pathlib
import re
import sys

found = [re.findall(r"slots = \[([0-9, ]+)\]", pathlib.Path(path).read_text()) for path in sys.argv[1:]]
assert found[0] and all(slots == found[0] for slots in found), found
