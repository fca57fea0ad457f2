"""Functions as a source: which logs watch which of them, through patterns."""

from __future__ import annotations

import pkgutil
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import dropwhile
from types import FunctionType
from typing import Any, NamedTuple

from ..names import HandlerName
from ..recording.probe import Probe
from ..recording.recorder import Recorder
from ..recording.registry import Handle, lock
from ..values.containment import is_foreign
from . import imports, known_packages
from .definitions import definitions, namespace, natives
from .patterns import OWN, Pattern, excludes, parse_all, patterns_of, takes

KIND = "pattern of functions"
_SHOWN = 5
_ANY = "any"
"""A name that a pattern of a whole module fits."""


class _Watched(NamedTuple):
    """A function that a log watches, and what records it there."""

    handle: Handle
    probe: Probe
    name: HandlerName
    function: weakref.ref[FunctionType]


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
        # By the identity of a function, for as long as that lives.
        self._handles: dict[int, _Watched] = {}
        self._modules: dict[str, tuple[int, ...]] = {}
        # Names of modules that no pattern covers: most that there are.
        self._others: set[str] = set()
        self._new: list[_Watched] = []

    def change(self, texts: Sequence[str]) -> None:
        """Watch the functions that other patterns take from now on."""
        patterns = parse_all(texts)
        self.texts, self.patterns = list(texts), patterns
        self.fitted = set()
        self._modules = {}
        self._others = set()
        for key, one in list(self._handles.items()):
            if not takes(patterns, *one.name):
                del self._handles[key]
                one.handle.leave(one.probe)
        self.sweep()

    def sweep(self) -> None:
        """Watch what was imported since the last time."""
        for name, module in list(sys.modules.items()):
            if type(name) is not str or name in self._others:
                continue
            if not self.is_concerned(name):
                self._others.add(name)
            else:
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
        own = held.get("__name__")
        if type(own) is str and own != module and namespace(sys.modules.get(own)) is held:
            return  # another name of a module that has one of its own
        specification = held.get("__spec__")
        if imports.is_running(specification):
            imports.tell(specification)
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
        return [(one.name, function) for one in new if (function := one.function()) is not None]

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
            patterns = patterns_of(text)
            if self.fitted.isdisjoint(patterns):
                yield text, f"{text!r} fits {self._instead(patterns)}"

    def hopeless(self, text: str) -> str | None:
        """Return why no function will ever fit a pattern, if that is so."""
        patterns = patterns_of(text)
        if not self.fitted.isdisjoint(patterns):
            return None
        if any(one.root != one.module or _may_come(one.module) for one in patterns):
            return None
        return f"{text!r} fits {self._instead(patterns)}"

    def _instead(self, patterns: Sequence[Pattern]) -> str:
        """Return what patterns fit, none of which fits a function."""
        covered = {name for name in self._modules if any(one.covers(name) for one in patterns)}
        if not covered:
            top = patterns[0].module.partition(".")[0]
            if not known_packages.is_installed(top):
                return f"no module that was imported; there is none named {top!r}"
            return f"no module that was imported{_meant(patterns[0])}"
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
        forget = partial(_forget, weakref.ref(self), id(function))
        one = _Watched(handle, probe, name, weakref.ref(function, forget))
        self._handles[id(function)] = one
        handle.watch(probe)
        self._new.append(one)

    def leave(self) -> None:
        """Watch no longer."""
        handles, self._handles = self._handles, {}
        for one in handles.values():
            one.handle.leave(one.probe)


def _may_come(module: str) -> bool:
    """Tell whether functions of ``module`` may be imported later."""
    above, _, _ = module.rpartition(".")
    held = namespace(sys.modules.get(module))
    if held:
        return "__path__" in held or imports.is_running(held.get("__spec__"))
    if above in sys.modules and "__path__" not in namespace(sys.modules[above]):
        return False  # it has no modules
    if above and above not in sys.modules:
        return _may_come(above)
    return known_packages.is_installed(module)


def _meant(pattern: Pattern) -> str:
    """Return what a pattern of a module may stand for, which is none."""
    above, _, name = pattern.module.rpartition(".")
    if name in namespace(sys.modules.get(above)) and pattern.name == "*":
        return f"; did you mean {above}:{name}?"
    return ""


def _forget(watch: weakref.ref[Watch], key: int, _: object) -> None:
    """A function is gone."""
    found = watch()
    if found is not None:
        found._handles.pop(key, None)


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
        before = _texts_of(recorder)
        if pattern in before:
            return
        _change(recorder, [*before, pattern])
        why = _watches[recorder].hopeless(pattern)
        if why is not None:
            _change(recorder, before)
            raise ValueError(why)


def detach(recorder: Recorder, pattern: str) -> None:
    """Undo `attach`.

    Raises:
        ValueError: the log is not attached to it.
    """
    with lock:
        if pattern not in _texts_of(recorder):
            raise ValueError(f"{pattern!r} is not attached; pass a pattern that attach() was given")
        _leave(recorder, [pattern])


@contextmanager
def watching(recorder: Recorder, patterns: Sequence[str]) -> Iterator[Watch]:
    """Feed a log with the calls of the functions that ``patterns`` fit."""
    with lock:
        _change(recorder, list(dict.fromkeys([*_texts_of(recorder), *patterns])))
        watch = _watches[recorder]
    try:
        yield watch
    finally:
        with lock:
            _leave(recorder, patterns)


def _texts_of(recorder: Recorder) -> list[str]:
    watch = _watches.get(recorder)
    return [] if watch is None else watch.texts


def _leave(recorder: Recorder, patterns: Sequence[str]) -> None:
    texts = [text for text in _texts_of(recorder) if text not in patterns]
    # What is left out of nothing is nothing.
    _change(recorder, list(dropwhile(excludes, texts)))


def _change(recorder: Recorder, texts: Sequence[str]) -> None:
    """Let a log watch what other patterns take: all at once, since that looks at every module."""
    watch = _watches.get(recorder)
    if texts:
        watch = watch or Watch(recorder)
        watch.change(texts)
        if recorder not in _watches:
            _watches[recorder] = watch
            weakref.finalize(recorder, _tidy).atexit = False
        imports.follow(concerns, _imported)
    elif watch is not None:
        watch.leave()
        del _watches[recorder]
        _tidy()


def _tidy() -> None:
    """Leave no trace once nobody watches."""
    if not list(_watches):  # those that live
        imports.unfollow()


def _imported(module: str) -> None:
    """A module was imported."""
    with lock:
        for watch in list(_watches.values()):
            if watch.is_concerned(module):
                watch.look(module)


def concerns(module: str) -> bool:
    """Tell whether a log may want functions of ``module``."""
    return any(watch.is_concerned(module) for watch in list(_watches.values()))
