"""Functions as a source of calls: the patterns of each log, and the functions they match."""

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

from ..names import HandlerName, did_you_mean
from ..recording.probe import Probe
from ..recording.recorder import Recorder
from ..recording.registry import Handle, lock
from ..values.containment import is_foreign
from . import imports, known_packages
from .definitions import Definition, definitions, namespace, natives
from .patterns import OWN, Pattern, excludes, parse_all, patterns_of, takes

KIND = "pattern such as 'shop.database'"
_SHOWN = 5
_ANY = "any"
"""Any function name, to ask whether patterns take a whole module."""


class _Watched(NamedTuple):
    """A function that a log watches, with its handle and probe."""

    handle: Handle
    probe: Probe
    name: HandlerName
    function: weakref.ref[FunctionType]


class Watch:
    """The functions that one log watches.

    Args:
        recorder: the recorder of the log.

    Attributes:
        texts: the patterns as they were passed.
        patterns: the parsed patterns; the last one that matches a function wins.
        fitted: the patterns that have matched a function.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = weakref.ref(recorder)
        self.texts: list[str] = []
        self.patterns: tuple[Pattern, ...] = ()
        self.fitted: set[Pattern] = set()
        # By the id() of the function, as long as it lives.
        self._handles: dict[int, _Watched] = {}
        self._modules: dict[str, tuple[int, ...]] = {}
        # Names of modules that no pattern covers, which are most modules.
        self._others: set[str] = set()
        # The functions that `new_names` has not returned yet, as in `_handles`.
        self._new: set[int] = set()

    def change(self, texts: Sequence[str]) -> None:
        """Replace the patterns, and watch the functions that the new patterns take."""
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
        """Watch the functions of modules that were imported since the last sweep."""
        for name, module in list(sys.modules.items()):
            if type(name) is not str or name in self._others:
                continue
            if not self.is_concerned(name):
                self._others.add(name)
            else:
                held = namespace(module)
                # A reload keeps the module object but replaces its spec.
                seen = id(module), id(held.get("__spec__")), len(held)
                if self._modules.get(name) != seen:
                    self._modules[name] = seen
                    self.look(name)

    def is_concerned(self, module: str) -> bool:
        """Return whether a pattern may match functions of ``module``."""
        return module.partition(".")[0] not in OWN and any(
            pattern.covers(module) for pattern in self.patterns
        )

    def look(self, module: str) -> None:
        """Watch the functions that ``module`` defines now and that the patterns take."""
        recorder = self._recorder()
        if recorder is None:
            return
        held = namespace(sys.modules.get(module))
        own = held.get("__name__")
        if type(own) is str and own != module and namespace(sys.modules.get(own)) is held:
            return  # an alias of a module that is also imported under its real name
        specification = held.get("__spec__")
        if imports.is_running(specification):
            imports.report_run(specification)
        for name, function in _definitions(recorder, module):
            fitting = [one for one in self.patterns if one.fits(module, name)]
            self.fitted.update(fitting)
            if fitting and not fitting[-1].excludes and id(function) not in self._handles:
                self._watch(recorder, HandlerName(module, name), function)

    def new_names(self) -> list[HandlerName]:
        """Return the names of functions that are watched since the last call of this method.

        A function that is also registered with a switcher has its name there.
        """
        new, self._new = self._new, set()
        watched = [one for key in new if (one := self._handles.get(key)) is not None]
        return [one.handle.watched.name_in(one.probe.store) for one in watched]

    def unimported(self) -> list[str]:
        """Return the modules that patterns cover but that were not imported."""
        found = {
            module
            for pattern in self.patterns
            if not pattern.excludes
            for module in _on_disk(pattern.root)
            if module not in sys.modules and takes(self.patterns, module, _ANY)
        }
        return sorted(found)

    def unmet(self) -> Iterator[tuple[str, str]]:
        """Yield each pattern that watches nothing, with the reason."""
        for text in self.texts:
            patterns = patterns_of(text)
            if self.fitted.isdisjoint(patterns):
                yield text, f"{text!r} matches {self._instead(text)}"

    def hopeless(self, text: str) -> str | None:
        """Return the reason if no function can ever match a pattern, or ``None``."""
        patterns = patterns_of(text)
        if not self.fitted.isdisjoint(patterns):
            return None
        if any(one.root != one.module or _may_come(one.module) for one in patterns):
            return None
        return f"{text!r} matches {self._instead(text)}"

    def _instead(self, text: str) -> str:
        """Return a text about what a pattern matches that matches no Python function."""
        patterns = patterns_of(text)
        covered = {name for name in self._modules if any(one.covers(name) for one in patterns)}
        if not covered:
            top = patterns[0].module.partition(".")[0]
            if not known_packages.is_installed(top):
                return f"no imported module; there is no package named {top!r}"
            return f"no imported module{_meant(text, patterns[0])}"
        native = sorted(
            f"{module}:{name}"
            for module in covered
            for name in natives(module, namespace(sys.modules.get(module)))
            if any(pattern.fits(module, name) for pattern in patterns)
        )
        if native:
            return f"only functions without Python code: {', '.join(native[:_SHOWN])}"
        recorder = self._recorder()
        names = [
            f"{module}:{name}"
            for module in covered
            if recorder is not None
            for name, _ in _definitions(recorder, module)
        ]
        return f"no function{_near(text, names)}"

    def _watch(self, recorder: Recorder, name: HandlerName, function: FunctionType) -> None:
        handle = Handle(function, _keep, secondary=True)
        probe = recorder.probe(name, function)
        forget = partial(_forget, weakref.ref(self), id(function))
        one = _Watched(handle, probe, name, weakref.ref(function, forget))
        self._handles[id(function)] = one
        handle.watch(probe)
        self._new.add(id(function))

    def leave(self) -> None:
        """Stop watching."""
        handles, self._handles = self._handles, {}
        for one in handles.values():
            one.handle.leave(one.probe)


def _definitions(recorder: Recorder, module: str) -> list[Definition]:
    """Return the functions that a module defines; none if the module makes that impossible."""
    try:
        return definitions(module, namespace(sys.modules.get(module)))
    except Exception as failure:
        if is_foreign(failure):
            raise
        recorder.rules.snapshot.failures += 1
        return []


def _may_come(module: str) -> bool:
    """Return whether functions of ``module`` may be imported later."""
    above, _, _ = module.rpartition(".")
    held = namespace(sys.modules.get(module))
    if held:
        return "__path__" in held or imports.is_running(held.get("__spec__"))
    if above in sys.modules and "__path__" not in namespace(sys.modules[above]):
        return False  # a module that is not a package has no submodules
    if above and above not in sys.modules:
        return _may_come(above)
    return known_packages.is_installed(module)


def _meant(text: str, pattern: Pattern) -> str:
    """Return a suggestion if a pattern names a function as a module, or misspells a module."""
    above, _, name = pattern.module.rpartition(".")
    if name in namespace(sys.modules.get(above)) and pattern.name == "*":
        return f"; did you mean '{above}:{name}'?"
    top = pattern.module.partition(".")[0]
    loaded = [name for name in list(sys.modules) if type(name) is str]
    below = [name for name in loaded if name.startswith(f"{top}.")]
    return _near(text, [*below, *_on_disk(top)])


def _near(text: str, known: Sequence[str]) -> str:
    """Return a suggestion if a pattern looks like a misspelled module, class or function.

    Args:
        text: the pattern.
        known: names of modules, or of functions in the syntax of patterns.
    """
    if text.startswith("@"):
        return ""
    classes = (name.rpartition(".")[0] for name in known if ":" in name)
    # All names of a package begin alike.
    hint = did_you_mean(text, {*known, *(name for name in classes if ":" in name)}, cutoff=0.6)
    return f"; {hint}" if hint else ""


def _forget(watch: weakref.ref[Watch], key: int, _: object) -> None:
    """Remove a function that was garbage-collected."""
    found = watch()
    if found is not None:
        found._handles.pop(key, None)
        found._new.discard(key)


def _on_disk(package: str) -> Iterator[str]:
    """Yield all modules below an imported package, imported or not."""
    path = namespace(sys.modules.get(package)).get("__path__")
    if path is None:
        return
    for found in pkgutil.iter_modules(list(path), f"{package}."):
        if not found.name.endswith(".__main__"):
            yield found.name
        if found.ispkg:
            yield from _on_disk(found.name)


def _keep(_: Any) -> None:
    """Replace nothing, because the function itself records its calls."""


_watches: weakref.WeakKeyDictionary[Recorder, Watch] = weakref.WeakKeyDictionary()


def accepts(target: object) -> bool:
    """Return whether ``target`` is text, and so a pattern."""
    return isinstance(target, str)


def attach(recorder: Recorder, pattern: str) -> None:
    """Record the calls of the functions that a pattern matches, in addition to earlier patterns.

    Raises:
        ValueError: it is not a pattern, it excludes functions although there is no earlier pattern,
            or no function can ever match it.
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
        ValueError: the pattern is not attached.
    """
    with lock:
        if pattern not in _texts_of(recorder):
            raise ValueError(
                f"{pattern!r} is not attached; pass a pattern that was passed to attach()"
            )
        _leave(recorder, [pattern])


@contextmanager
def watching(recorder: Recorder, patterns: Sequence[str]) -> Iterator[Watch]:
    """Record the calls of the functions that ``patterns`` match until the end of the block."""
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
    # An exclusion needs an earlier pattern, so exclusions at the start are dropped.
    _change(recorder, list(dropwhile(excludes, texts)))


def _change(recorder: Recorder, texts: Sequence[str]) -> None:
    """Replace the patterns of a log, all at once because each change looks at every module."""
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
    """Remove the import hook once no log watches functions."""
    if not list(_watches):  # a list, because weak keys may be dead
        imports.unfollow()


def _imported(module: str) -> None:
    """Watch the functions of a module that was imported."""
    with lock:
        for watch in list(_watches.values()):
            if watch.is_concerned(module):
                watch.look(module)


def concerns(module: str) -> bool:
    """Return whether a log may watch functions of ``module``."""
    return any(watch.is_concerned(module) for watch in list(_watches.values()))
