"""What the page costs: 100,000 findings on 200,000 tokens, and how it grows from a tenth of that on.

The limits: at most 10 s of CPU, judging included, and 60 MB of file; memory linear; open in Chromium in under 3 s.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_xlsx import AS_OF, SIZES, snapshot
from playwright.sync_api import sync_playwright

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.config.settings import PolicySettings
from credly_audit.policy.policy import Policy
from credly_audit.renderers.html import render
from credly_audit.rules import catalogue

MOST_SECONDS, MOST_MEGABYTES, MOST_TO_OPEN, MOST_TO_ANSWER = 10, 60, 3, 1

STEPS = {
    "search": "findings.form.elements.q.value = 'team 13'; findings.filter()",
    "sort": "findings.sortBy('subject')",
    "turn": "findings.turn('last')",
    "clear": "findings.form.reset(); findings.filter()",
}
"""What a person does on the page; each is timed until the rows are there."""


def measure(many: int) -> None:
    """Judge and write once; print tokens, findings, CPU seconds in all and of writing, peak and file in MB."""
    collected, policy = snapshot(many), Policy(PolicySettings.model_validate({"disable": ["INV001", "PRM006"]}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    begin = time.process_time()
    audit = evaluate(collected, policy, Gate(), catalogue(), as_of=AS_OF)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        with path.open("wb") as file:
            render(audit, file)
        end = time.process_time()
        size = path.stat().st_size / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        opened, steps = look(path)
    print(many, len(audit.findings), end - begin, end - start, peak - before, size, opened, *steps)


def look(path: Path) -> tuple[float, list[float]]:
    """How long Chromium takes until the first rows of the table are there, and for each of STEPS."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.locator("#findings .told", has_text="Rows 1 to").wait_for()
        opened = time.perf_counter() - start
        steps = [
            page.evaluate(
                "step => { const findings = lists.get('findings'); const start = performance.now();"
                f"{step}; document.body.getBoundingClientRect(); return (performance.now() - start) / 1000; }}"
            )
            for step in STEPS.values()
        ]
        browser.close()
    return opened, steps


def main() -> int:
    """Each size in a process of its own; 1 where the largest is beyond the limits."""
    for many in SIZES:
        done = subprocess.run([sys.executable, __file__, str(many)], capture_output=True, text=True, check=True)
        tokens, findings, seconds, writing, peak, size, opened, *steps = map(float, done.stdout.split())
        print(
            f"html of {tokens:>7,.0f} tokens and {findings:>7,.0f} findings: {seconds:5.1f} s CPU ({writing:.1f} s of "
            f"them writing), {peak:.0f} MB above the snapshot, file {size:.1f} MB; opens in {opened:.1f} s, "
            + ", ".join(f"{name} {step:.2f} s" for name, step in zip(STEPS, steps, strict=True))
        )
    slow = seconds > MOST_SECONDS or size > MOST_MEGABYTES or opened > MOST_TO_OPEN or max(steps) > MOST_TO_ANSWER
    print(
        f"limits: {MOST_SECONDS} s, {MOST_MEGABYTES} MB of file, open in {MOST_TO_OPEN} s, {MOST_TO_ANSWER} s a step: "
        f"{'BROKEN' if slow else 'kept'}"
    )
    return slow


if __name__ == "__main__":
    sys.exit(measure(int(sys.argv[1])) if len(sys.argv) > 1 else main())
