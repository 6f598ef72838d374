"""Results as JUnit XML, in the form of pytest's ``xunit2`` family, which CI servers read."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from rulekit.testing.judge import Result
from rulekit.testing.report import failure_text, shown

# XML 1.0 cannot hold these, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Sequence[Result], started: datetime.datetime) -> str:
    """Return a JUnit report; times in seconds."""
    suite = ET.Element(
        "testsuite",
        name="rulekit",
        errors="0",
        failures=str(sum(not r.good for r in results)),
        skipped=str(sum(r.outcome == "xfailed" for r in results)),
        tests=str(len(results)),
        time=f"{sum(r.duration_s for r in results):.3f}",
        timestamp=started.isoformat(),
        hostname=platform.node(),
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_clean(shown(result.case.file)),
            name=_clean(result.case.name),
            time=f"{result.duration_s:.3f}",
        )
        if result.outcome == "xfailed":
            ET.SubElement(
                case, "skipped", type="rulekit.xfail", message=_clean(result.case.xfail or "")
            )
        elif not result.good:
            messages = "; ".join(failure.message for failure in result.failures)
            message = messages or f"passed although expected to fail: {result.case.xfail}"
            # The schema knows no element `error`; the type tells them apart.
            kind = f"rulekit.{result.outcome}"
            failure = ET.SubElement(case, "failure", type=kind, message=_clean(message))
            failure.text = _clean(failure_text(result))
    root = ET.Element("testsuites", name="rulekit tests")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    return _ILLEGAL.sub("�", text)
