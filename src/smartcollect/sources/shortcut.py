"""A shorter way to a plugin's layer of smartswitch's chain.

smartswitch asks two questions before it calls a plugin's layer, which take as long as to record
the call: whether the plugin is enabled, which the probe knows, and whether it is switched off for
a caller.
"""

from __future__ import annotations

from typing import Any

from ..recording.hot_path import switched_layer
from ..recording.probe import Bound
from . import smartswitch
from .smartswitch import BasePlugin, MethodEntry, Switcher, dispatch, dispatched


def shorten(switcher: Switcher, entry: MethodEntry, plugin: BasePlugin, bound: Bound) -> None:
    """Let a handler be called without smartswitch's own layer around that of ``plugin``.

    Args:
        switcher: where the handler was registered just now.
        entry: the handler.
        plugin: the plugin, which decides by itself what it records.
        bound: the `Probe.bound` of its layer.
    """
    own = type(switcher).is_plugin_enabled is not Switcher.is_plugin_enabled
    # A layer inside of another plugin's is called by that one.
    if smartswitch.switches is None or own or switcher.iter_plugins()[0] is not plugin:
        return
    handler, name = entry.name, plugin.name

    def off(args: tuple[Any, ...]) -> bool:
        return not switcher.is_plugin_enabled(args[0] if args else None, handler, name)

    made, theirs = switched_layer(bound, smartswitch.switches, off), dispatched(entry)
    made.__dict__.update(theirs.__dict__)
    made.__name__, made.__qualname__ = theirs.__name__, theirs.__qualname__
    made.__module__ = theirs.__module__
    dispatch(entry, made)
