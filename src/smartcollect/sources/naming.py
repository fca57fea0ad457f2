"""Names for the handlers of switchers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..names import HandlerName
from .smartswitch import MethodEntry, Switcher, children, entries, key_of


def name_of(entry: MethodEntry, root: Switcher | None) -> HandlerName:
    """Return the name of a handler, relative to ``root`` or else to the top of its tree."""
    keys = [entry.name]
    *below, top = upwards(entry.switch, root)
    keys += [key_of(switcher) for switcher in below]
    return HandlerName(switcher_name(top), ".".join(reversed(keys)))


def switcher_name(switcher: Switcher) -> str:
    """Return the name of ``switcher``, or of the class or module that defines its handlers."""
    if switcher.name:
        return str(switcher.name)
    for below in tree(switcher):
        for entry in entries(below):
            containers = str(getattr(entry.func, "__qualname__", "")).split(".")[:-1]
            if containers and containers[-1] != "<locals>":
                return containers[-1]
            return str(getattr(entry.func, "__module__", None) or "switcher")
    return "switcher"


def upwards(switcher: Switcher, root: Switcher | None = None) -> list[Switcher]:
    """Return ``switcher`` and its ancestors, up to ``root`` or the top.

    Each appears once, because smartswitch allows a switcher to be the child of its own child.
    """
    found = [switcher]
    while found[-1] is not root and found[-1].parent not in (None, *found):
        found.append(found[-1].parent)
    return found


def tree(
    switcher: Switcher, covers: Callable[[Switcher], bool] = lambda child: True
) -> Iterator[Switcher]:
    """Yield ``switcher`` and its descendants, except for branches that ``covers`` rejects."""
    waiting, seen = [switcher], {switcher}
    while waiting:
        one = waiting.pop(0)
        yield one
        for child in children(one):
            if child not in seen and covers(child):
                seen.add(child)
                waiting.append(child)
