"""Functions as a source: which logs watch which of them, through patterns."""

from __future__ import annotations

import pkgutil
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from ..names import HandlerName
from ..recording.probe import Probe
from ..recording.recorder import Recorder
from ..recording.registry import Handle, lock
from ..values.containment import is_foreign
from . import imports, known_packages
from .definitions import definitions, namespace, natives
from .patterns import OWN, Pattern, parse, parse_all, takes

KIND = "pattern of functions"
_SHOWN = 5
_ANY = "any"
"""A name that a pattern of a whole module fits."""


class Watch:
    """The functions that one log watches.

    Args:
        recorder: what is fed.

    Attributes:
        texts: the patterns as they were given.
        patterns: which functions; the last that fits wins.
        fitted: the patterns that fit a function.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = weakref.ref(recorder)
        self.texts: list[str] = []
        self.patterns: tuple[Pattern, ...] = ()
        self.fitted: set[Pattern] = set()
        # By the identity of a function, which lives as long as its handle.
        self._handles: dict[int, tuple[Handle, Probe, HandlerName]] = {}
        self._modules: dict[str, tuple[int, ...]] = {}
        self._new: list[tuple[HandlerName, FunctionType]] = []

    def change(self, texts: Sequence[str]) -> None:
        """Watch the functions that other patterns take from now on."""
        patterns = parse_all(one for text in texts for one in known_packages.expanded(text))
        self.texts, self.patterns = list(texts), patterns
        self.fitted = set()
        self._modules = {}
        for key, (handle, probe, name) in list(self._handles.items()):
            if not takes(patterns, *name):
                del self._handles[key]
                handle.leave(probe)
        self.sweep()

    def sweep(self) -> None:
        """Watch what was imported since the last time."""
        for name, module in list(sys.modules.items()):
            if type(name) is str and self.is_concerned(name):
                held = namespace(module)
                # A reload leaves the module and gives it another specification.
                seen = id(module), id(held.get("__spec__")), len(held)
                if self._modules.get(name) != seen:
                    self._modules[name] = seen
                    self.look(name)

    def is_concerned(self, module: str) -> bool:
        """Tell whether a pattern may fit functions of ``module``."""
        return module.partition(".")[0] not in OWN and any(
            pattern.covers(module) for pattern in self.patterns
        )

    def look(self, module: str) -> None:
        """Watch the functions that ``module`` defines now, as far as they are wanted."""
        recorder = self._recorder()
        if recorder is None:
            return
        held = namespace(sys.modules.get(module))
        try:
            found = definitions(module, held)
        except Exception as failure:
            if is_foreign(failure):
                raise
            recorder.rules.snapshot.failures += 1
            return
        for name, function in found:
            fitting = [one for one in self.patterns if one.fits(module, name)]
            self.fitted.update(fitting)
            if fitting and not fitting[-1].excludes and id(function) not in self._handles:
                self._watch(recorder, HandlerName(module, name), function)

    def new_functions(self) -> list[tuple[HandlerName, FunctionType]]:
        """Return the functions that are watched since the last time that this was asked."""
        new, self._new = self._new, []
        return new

    def unimported(self) -> list[str]:
        """Return the modules that patterns cover and that nothing imported."""
        found = {
            module
            for pattern in self.patterns
            if not pattern.excludes
            for module in _on_disk(pattern.root)
            if module not in sys.modules and takes(self.patterns, module, _ANY)
        }
        return sorted(found)

    def unmet(self) -> Iterator[tuple[str, str]]:
        """Yield each pattern that watches nothing, as it was given, and why."""
        for text in self.texts:
            patterns = tuple(map(parse, known_packages.expanded(text)))
            if self.fitted.isdisjoint(patterns):
                yield text, f"{text!r} fits {self._instead(patterns)}"

    def hopeless(self, text: str) -> str | None:
        """Return why no function will ever fit a pattern, if that is so."""
        patterns = tuple(map(parse, known_packages.expanded(text)))
        if not self.fitted.isdisjoint(patterns):
            return None
        for pattern in patterns:
            top = pattern.module.partition(".")[0]
            if pattern.root != pattern.module:
                return None
            if not known_packages.is_installed(top):
                return f"{text!r}: there is no module named {top!r}"
            held = namespace(sys.modules.get(pattern.module))
            if not held or "__path__" in held:
                return None  # modules may come
        return f"{text!r} fits {self._instead(patterns)}"

    def _instead(self, patterns: Sequence[Pattern]) -> str:
        """Return what patterns fit, none of which fits a function."""
        covered = {name for name in self._modules if any(one.covers(name) for one in patterns)}
        if not covered:
            return "no module that was imported"
        native = sorted(
            f"{module}:{name}"
            for module in covered
            for name in natives(module, namespace(sys.modules.get(module)))
            if any(pattern.fits(module, name) for pattern in patterns)
        )
        if native:
            return f"only what has no Python code: {', '.join(native[:_SHOWN])}"
        return "no function"

    def _watch(self, recorder: Recorder, name: HandlerName, function: FunctionType) -> None:
        handle = Handle(function, _keep, secondary=True)
        probe = recorder.probe(name, function)
        self._handles[id(function)] = handle, probe, name
        handle.watch(probe)
        self._new.append((probe.name, function))

    def leave(self) -> None:
        """Watch no longer."""
        handles, self._handles = self._handles, {}
        for handle, probe, _ in handles.values():
            handle.leave(probe)


def _on_disk(package: str) -> Iterator[str]:
    """Yield the modules below a package that was imported, whether they were or not."""
    path = namespace(sys.modules.get(package)).get("__path__")
    if path is None:
        return
    for found in pkgutil.iter_modules(list(path), f"{package}."):
        if not found.name.endswith(".__main__"):
            yield found.name
        if found.ispkg:
            yield from _on_disk(found.name)


def _keep(_: Any) -> None:
    """Leave things as they are: a function's own code records its calls, wherever it is held."""


_watches: weakref.WeakKeyDictionary[Recorder, Watch] = weakref.WeakKeyDictionary()


def accepts(target: object) -> bool:
    """Tell whether ``target`` is a text, as patterns are."""
    return isinstance(target, str)


def attach(recorder: Recorder, pattern: str) -> None:
    """Feed a log with the calls of the functions that a pattern fits, besides those before it.

    Raises:
        ValueError: it is not a pattern, leaves out something although there is nothing before, or
            can fit no function, whatever is imported later.
    """
    with lock:
        _attach(recorder, pattern)
        why = _watches[recorder].hopeless(pattern)
        if why is not None:
            detach(recorder, pattern)
            raise ValueError(why)


def _attach(recorder: Recorder, pattern: str) -> None:
    watch = _watches.get(recorder) or Watch(recorder)
    if pattern in watch.texts:
        return
    watch.change([*watch.texts, pattern])
    if recorder not in _watches:
        _watches[recorder] = watch
        weakref.finalize(recorder, _tidy).atexit = False
    imports.follow(concerns, _imported)


def _tidy() -> None:
    """Leave no trace once nobody watches."""
    if not list(_watches):  # those that live
        imports.unfollow()


def detach(recorder: Recorder, pattern: str) -> None:
    """Undo `attach`.

    Raises:
        ValueError: the log is not attached to it.
    """
    with lock:
        watch = _watches.get(recorder)
        if watch is None or pattern not in watch.texts:
            raise ValueError(f"{pattern!r} is not attached; pass a pattern that attach() was given")
        texts = [text for text in watch.texts if text != pattern]
        if any(not text.startswith("!") for text in texts):
            watch.change(texts)
            return
        # What is left out of nothing is nothing.
        watch.leave()
        del _watches[recorder]
        _tidy()


@contextmanager
def watching(recorder: Recorder, patterns: Sequence[str]) -> Iterator[Watch]:
    """Feed a log with the calls of the functions that ``patterns`` fit."""
    with lock:
        for pattern in patterns:
            _attach(recorder, pattern)
        watch = _watches[recorder]
    try:
        yield watch
    finally:
        for pattern in reversed(patterns):
            if recorder in _watches:
                detach(recorder, pattern)


def _imported(module: str) -> None:
    """A module was imported."""
    with lock:
        for watch in list(_watches.values()):
            if watch.is_concerned(module):
                watch.look(module)


def concerns(module: str) -> bool:
    """Tell whether a log may want functions of ``module``."""
    return any(watch.is_concerned(module) for watch in list(_watches.values()))
