"""The profile of a whole run, merged from the reports of tests."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .phases import PHASES, Part

if TYPE_CHECKING:
    import pytest

    from smartcollect import Profile
    from smartcollect.profiles.merge import Merger
    from smartcollect.profiles.parts import Run
    from smartcollect.profiles.revision import Revision

    from .trace import Trace

_PACKAGES = ("pytest", "pytest-xdist", "smartcollect", "smartswitch")


class Session:
    """The profile of a run while its tests are being reported, from this process or workers.

    Args:
        trace: the trace to fill, if the run writes one.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._trace = trace
        self._known: set[str] = set()
        self._merger: Merger | None = None
        self._tests_lost = 0
        self._workers_lost = 0
        self._ended_early = ""
        self._revision: Revision | None = None

    def note_revision(self, config: pytest.Config) -> None:
        """Note the revision of the tested code."""
        from smartcollect.profiles.revision import revision

        self._revision = revision(config.rootpath)

    def add(self, report: Any, parts: Iterable[Part]) -> None:
        """Add the parts of a report."""
        if report.when not in PHASES:
            # xdist and forking plugins report a test like this if its process died.
            self._tests_lost += 1
        self.take(parts)

    def take(self, parts: Iterable[Part]) -> None:
        """Add parts, and ignore parts that were added before."""
        for part in parts:
            if part.key in self._known:
                continue
            self._known.add(part.key)
            if self._trace is not None and part.window is not None:
                from smartcollect.reports.traces.timeline import Window

                self._trace.add(Window(*part.window)._replace(outcome=part.outcome))
            profile = part.calls
            if profile is None:
                continue
            if isinstance(profile, str):
                from smartcollect.profiles.packing import unpack

                profile = unpack(profile)
            self._merged().add(profile.in_test(part.test, part.when, part.outcome, part.duration))

    def _merged(self) -> Merger:
        if self._merger is None:
            from smartcollect.profiles.merge import Merger

            self._merger = Merger()
        return self._merger

    def lose_worker(self) -> None:
        """Note that a worker died, and that the calls of its running test are lost."""
        self._workers_lost += 1

    def end_early(self, why: str) -> None:
        """Note that the run ended before all tests ran; the first reason is kept."""
        self._ended_early = self._ended_early or why

    def profile(self, config: pytest.Config, machine: Mapping[str, str]) -> Profile:
        """Return the profile of all tests so far.

        Args:
            config: pytest's configuration.
            machine: facts about the machine from plugins, by name.
        """
        from smartcollect.text import plural

        missing = []
        if self._workers_lost:
            missing.append(f"{plural(self._workers_lost, 'worker')} lost")
        # The running test of a lost worker is reported as crashed, too.
        if self._tests_lost > self._workers_lost:
            missing.append(f"{plural(self._tests_lost - self._workers_lost, 'test')} crashed")
        if self._ended_early:
            missing.append(self._ended_early)
        merged = self._merged().profile()
        run = _run(config, machine, self._tested(config))
        return replace(merged, run=run, incomplete=tuple(missing))

    def _tested(self, config: pytest.Config) -> Revision | None:
        """Return the tested revision, marked dirty if files changed during the run."""
        if self._revision is None:
            return None
        from smartcollect.profiles.revision import revision

        changed = revision(config.rootpath) != self._revision
        return self._revision._replace(dirty=self._revision.dirty or changed)


def _run(config: pytest.Config, machine: Mapping[str, str], revision: Revision | None) -> Run:
    from smartcollect.profiles.machine import fingerprint
    from smartcollect.profiles.parts import Run
    from smartcollect.values.redaction import without_secrets

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Run(
        created=time.time(),
        command=("pytest", *(without_secrets(str(one)) for one in config.invocation_params.args)),
        machine={**fingerprint(), **machine},
        versions=versions,
        revision=revision,
    )
