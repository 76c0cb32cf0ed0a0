"""The alert rules, as Prometheus itself reads and tries them."""

import shutil
import subprocess

import pytest
import yaml

from tests.system.installation import ROOT

PROMTOOL = shutil.which("promtool")
FOLDER = ROOT / "docs" / "prometheus"


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; it comes with Prometheus (Debian's package prometheus)")
@pytest.mark.parametrize("words", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]])
def test_prometheus_takes_the_rules_and_each_fires_when_it_should(words: list[str]) -> None:
    """And not before, nor for an installation that is well."""
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_is_tried() -> None:
    """Whoever adds one says when it is to fire."""
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    tried = (FOLDER / "alerts.test.yml").read_text()
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert {name for name in names if name not in tried} == set()
