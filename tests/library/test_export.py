from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartswitch import Switcher

from smartcollect.reports import formats
from smartcollect.reports.strict_json import json_text, strict

pytestmark = pytest.mark.once


@pytest.fixture
def log():
    sw = Switcher("api").plug("collect")

    @sw
    def process(value, *, unit=None):
        if value == "fail":
            raise ValueError("=cmd()")
        return {"value": value}

    process(1, unit="s")
    process(float("nan"))
    process("\ud800")
    with pytest.raises(ValueError, match="cmd"):
        process("fail")
    return sw.collect


def strict_loads(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_json_holds_everything(log, tmp_path):
    path = tmp_path / "log.json"
    log.export(path)
    written = strict_loads(path.read_bytes().decode("utf-8"))
    assert written == log.to_dict()
    assert (written["schema"], written["version"]) == ("smartcollect/log", 1)
    assert written["settings"]["max_history"] == 1000
    assert written["stats"]["process"]["calls"] == 4
    assert [entry["args"] for entry in written["history"]] == [[1], ["nan"], ["\\ud800"], ["fail"]]


def test_jsonl_has_a_line_for_each_call(log, tmp_path):
    path = tmp_path / "log.jsonl"
    log.export(str(path))
    lines = [strict_loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines == log.to_dict()["history"]


def test_csv_has_a_row_for_each_call(log, tmp_path):
    path = tmp_path / "log.csv"
    log.export(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["handler"] for row in rows] == ["process"] * 4
    assert json.loads(rows[0]["kwargs"]) == {"unit": "s"}
    assert json.loads(rows[0]["result"]) == {"value": 1}
    assert float(rows[0]["elapsed"]) == pytest.approx(log.history()[0]["elapsed"])
    assert rows[3]["exception_type"] == "ValueError"
    assert rows[3]["exception_message"] == "'=cmd()"


@pytest.mark.parametrize(
    ("name", "format", "written"),
    [
        ("log", None, "json"),
        ("log.txt", None, "json"),
        ("LOG.CSV", None, "csv"),
        ("log.json", "csv", "csv"),
        ("log.csv", "json", "json"),
    ],
)
def test_the_suffix_selects_the_format_unless_it_is_passed(log, tmp_path, name, format, written):
    log.export(tmp_path / name, format)
    assert (tmp_path / name).read_text("utf-8").startswith("{" if written == "json" else "switcher")


def test_an_unknown_format(log, tmp_path):
    with pytest.raises(ValueError, match="unknown format 'xml'; choose from json, jsonl"):
        log.export(tmp_path / "log", "xml")
    assert list(tmp_path.iterdir()) == []


def test_kept_objects_are_serialized_for_the_file(tmp_path):
    sw = Switcher("api").plug("collect", serialize=False)
    handler = sw("work")(lambda value, **more: [value])
    handler({1}, key=(1,), password="x")
    sw.collect.export(tmp_path / "log.jsonl")
    entry = json.loads((tmp_path / "log.jsonl").read_text("utf-8"))
    assert entry["args"] == ["{1}"]
    assert entry["kwargs"] == {"key": [1], "password": "***"}
    assert entry["result"] == ["{1}"]


def test_a_directory_in_the_way(log, tmp_path):
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        log.export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory(log, tmp_path):
    path = tmp_path / "missing" / "log.json"
    with pytest.raises(FileNotFoundError) as caught:
        log.export(path)
    assert caught.value.filename == str(path)


def test_a_failure_changes_neither_the_file_nor_the_log(log, tmp_path, monkeypatch):
    path = tmp_path / "log.json"
    path.write_text("old")
    before = log.to_dict()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        log.export(path)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    assert log.to_dict() == before


def test_permissions_of_replaced_and_new_files(log, tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.touch()
    old.chmod(0o640)
    plain = tmp_path / "plain"
    plain.touch()
    log.export(old)
    log.export(new)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == plain.stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="needs a umask")
def test_writing_does_not_change_the_umask(log, tmp_path, monkeypatch):
    masks = []
    monkeypatch.setattr("os.umask", masks.append)
    log.export(tmp_path / "new.json")
    log.export(tmp_path / "new.json")
    assert not masks


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_a_private_file_is_private_while_it_is_written(log, tmp_path, monkeypatch):
    private, modes = tmp_path / "private.json", []
    private.touch()
    private.chmod(0o600)
    opened = os.open

    def seen(*arguments, **options):
        descriptor = opened(*arguments, **options)
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr("os.open", seen)
    log.export(private)
    monkeypatch.undo()
    assert modes == [0o600]
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_a_symbolic_link_stays_a_link(log, tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.touch()
    link.symlink_to(target)
    log.export(link)
    assert link.is_symlink()
    assert target.read_text("utf-8").startswith("{")


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.none(), st.booleans(), st.integers(), st.text()), inner),
    ),
)


@given(values)
def test_strict_json_is_strict(value):
    text = json_text(value)
    text.encode("utf-8")
    assert json_text(strict_loads(text)) == text


def test_keys_that_collide_as_text_are_all_kept():
    assert strict({1: "a", "1": "b", None: "c", "null": "d"}) == {
        "1": "a",
        "1 #2": "b",
        "null": "c",
        "null #2": "d",
    }


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas_are_neutralised(text):
    assert formats._cell(text) == f"'{text}"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_process_leaves_a_whole_file(tmp_path):
    path = tmp_path / "log.json"
    script = """
import sys
import smartcollect
from smartswitch import Switcher
sw = Switcher("api").plug("collect", max_history=20_000)
@sw
def work(number): ...
for number in range(20_000):
    work(number)
while True:
    sw.collect.export(sys.argv[1])
    print("once", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "once\n"
        # In the middle of the second export.
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.send_signal(signal.SIGKILL)
    assert len(json.loads(path.read_text("utf-8"))["history"]) == 20_000


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_file_that_cannot_be_created(log, tmp_path, monkeypatch, error):
    path = tmp_path / "log.json"
    log.export(path)
    before, calls = path.read_bytes(), log.history()

    def refuse(*_, **__):
        raise OSError(error, os.strerror(error), "/somewhere/else")

    with monkeypatch.context() as patched:
        patched.setattr("os.open", refuse)
        with pytest.raises(OSError, match=re.escape(os.strerror(error))) as raised:
            log.export(path)
    assert raised.value.filename == str(path)
    assert path.read_bytes() == before
    assert log.history() == calls
