"""A faster way to a plugin's layer in the chain of smartswitch.

Before smartswitch calls a plugin's layer, it checks whether the plugin is enabled and whether it is
switched off for the caller. These checks take as long as recording the call, and the probe already
knows the first answer.
"""

from __future__ import annotations

from typing import Any

from ..recording.hot_path import switched_layer
from ..recording.probe import Bound
from . import smartswitch
from .smartswitch import BasePlugin, MethodEntry, Switcher, dispatch, dispatched


def shorten(switcher: Switcher, entry: MethodEntry, plugin: BasePlugin, bound: Bound) -> None:
    """Call a handler without the layer of smartswitch around the layer of ``plugin``.

    Args:
        switcher: the switcher, where the handler was just registered.
        entry: the handler.
        plugin: the plugin, which checks itself whether it records.
        bound: the `Probe.bound` of its layer.
    """
    own = type(switcher).is_plugin_enabled is not Switcher.is_plugin_enabled
    # Only for the outermost plugin: other layers are called by another plugin's layer.
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
