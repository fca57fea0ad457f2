"""The hooks for other plugins, and the properties in the JUnit file."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from smartcollect.profiles import load


def test_the_hooks_are_called_once(suite, run):
    suite.makeconftest(
        """
        def pytest_smartcollect_machine_info(config):
            print("asked")
            return {"runner": "large", "cpus": 64}

        def pytest_smartcollect_profile(config, profile):
            print("calls", sum(stats.calls for stats in profile.handlers.values()))
            print("runner", profile.run.machine["runner"], profile.run.machine["cpus"])
        """
    )
    result = run("--smartcollect-report=profile.json", "-s")
    for line in ["asked", "calls 20", "runner large 64"]:
        assert sum(one.endswith(line) for one in result.outlines) == 1
    assert load(suite.path / "profile.json").run.machine["runner"] == "large"


def test_the_hooks_are_registered_without_a_profile(suite):
    suite.makeconftest("def pytest_smartcollect_profile(profile): raise SystemExit")
    result = suite.runpytest("--strict-config")
    assert result.ret == 0
    suite.makeconftest("def pytest_smartcollect_profile(prfile): ...")
    result = suite.runpytest_subprocess()
    assert result.ret != 0


@pytest.mark.parametrize("hook", ["machine_info(config)", "profile(profile)"])
def test_a_hook_that_raises_fails_the_run(suite, hook):
    suite.makeconftest(f"def pytest_smartcollect_{hook}: raise ValueError('sorry')")
    result = suite.runpytest_subprocess("--smartcollect")
    assert result.ret == 1
    name = hook.partition("(")[0]
    result.stdout.fnmatch_lines(
        ["users.show *19 *", f"pytest_smartcollect_{name} raised ValueError: sorry"]
    )


def test_machine_info_of_the_wrong_type(suite):
    suite.makeconftest("def pytest_smartcollect_machine_info(): return 'large'")
    result = suite.runpytest_subprocess("--smartcollect")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*machine_info returned 'large'; return a dict of text"])


def properties(path):
    return {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ElementTree.parse(path).iter("testcase")
    }


def test_junit(suite, run):
    result = run("--smartcollect-junit", "--junit-xml=junit.xml")
    result.stdout.fnmatch_lines(["*= smartcollect =*"])
    found = properties(suite.path / "junit.xml")
    assert set(found["test_index"]) == {"smartcollect.shop.index", "smartcollect.shop.users.show"}
    shown = found["test_index"]["smartcollect.shop.users.show"].split()
    assert shown[:2] == ["calls=14", "errors=0"]
    name, time = shown[2].split("=")
    assert name == "total_time"
    assert float(time) > 0
    assert found["test_refused"]["smartcollect.shop.users.show"].startswith("calls=1 errors=1 ")
    assert found["test_nothing"] == {}


def test_junit_with_a_name_that_xml_cannot_hold(pytester):
    pytester.makepyfile(
        r"""
        from smartswitch import Switcher

        api = Switcher("api")

        @api("odd\x1b<name>")
        def odd(): ...

        def test_it(): odd()
        """
    )
    pytester.runpytest_subprocess("--smartcollect-junit", "--junit-xml=junit.xml")
    found = properties(pytester.path / "junit.xml")
    assert set(found["test_it"]) == {r"smartcollect.api.odd\x1b<name>"}


@pytest.mark.parametrize("option", ["--smartcollect", "--no-smartcollect"])
def test_junit_is_off_by_default(suite, option):
    suite.runpytest(option, "--junit-xml=junit.xml")
    assert not any(properties(suite.path / "junit.xml").values())
