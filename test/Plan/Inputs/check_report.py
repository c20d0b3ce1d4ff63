"""Checks a page that --plan-report has written. usage: check_report.py PAGE DEVICES SLOTS MATRIX

The page is well-formed XML, has no script and nothing from outside; DEVICES × SLOTS cells of experts, MATRIX² of traffic (0: nothing is sent), for each device a row of the
timeline; of the candidates one is chosen and each other has a reason.
"""

import pathlib
import sys
import xml.etree.ElementTree

page = pathlib.Path(sys.argv[1]).read_text()
devices, slots, matrix = map(int, sys.argv[2:5])
root = xml.etree.ElementTree.fromstring(page)
for element in root.iter():
    name = element.tag.rsplit("}", 1)[-1]
    assert name not in ("script", "link", "img", "iframe", "object"), name
    assert not any(key.startswith("on") or key in ("href", "src") for key in element.attrib), element.attrib


def rects(kind):
    found = [svg for svg in root.iter() if svg.get("class") == kind]
    return [rect for rect in found[0].iter() if rect.tag.endswith("rect")] if found else []


assert len(rects("placement")) == devices * slots, len(rects("placement"))
assert len(rects("traffic")) == matrix ** 2, len(rects("traffic"))
assert len(rects("timeline")) >= 3 * devices and len(rects("timeline")) % devices == 0, len(rects("timeline"))
assert all(0 <= float(rect.get("width")) <= 800 for rect in rects("timeline"))
table = next(table for table in root.iter() if table.get("class") == "candidates")
reasons = [list(row)[-1].text for row in list(table)[1:]]
assert reasons.count("chosen") == 1 and all(reasons), reasons
print(f"{len(reasons)} candidates, {len(set(reasons))} kinds of reasons")
