"""``CollectPlugin``, the plugin for smartswitch."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from smartswitch import BasePlugin, MethodEntry, Switcher

from .log import CallLog
from .recording.hot_path import layer
from .recording.probe import Probe
from .recording.settings import DEFAULTS, FLAGS, HANDLER_SETTINGS, changed, check
from .sources.smartswitch import specification
from .sources.switchers import WatchingPlugin, chain, may_shorten
from .values.redaction import SECRET_NAMES

_FLAGS = "enabled,serialize:off"


class CollectPlugin(CallLog, WatchingPlugin):
    """A smartswitch plugin that records every call of every handler, and is itself the `CallLog`.

    The children of the switcher are recorded in the same log, no matter whether they or their
    handlers were added before or after the plugin. Exceptions are children that plug their own
    ``CollectPlugin`` or were created with ``inherit_plugins=False``.

    Args:
        max_history: the number of calls that the history keeps; 0 keeps statistics only.
            Statistics count every call.
        serialize: whether arguments and results are turned into small plain data at the time of
            the call. With ``False``, the log keeps the objects themselves.
        include_context: whether the entries of `history` include ``switcher`` and ``timestamp``.
        sample_rate: the share of calls that is recorded, from 0.0 (none) to 1.0 (all).
        serializers: for types, including their subclasses, functions that turn a value into plain
            data, such as ``{Decimal: str}``.
        objects: how objects are shown that are neither scalars nor builtin containers:
            ``"repr"``, or ``"type"`` for the type alone (``<Order>``). With ``"type"``, recording
            never runs code of the application.
        redact: the names of parameters and dict keys whose values are recorded as ``"***"``. Names
            that contain one of them as words, such as ``new_password`` or ``passwords``, are
            redacted too. The default is `SECRET_NAMES`; ``()`` redacts nothing.
        call_sites: whether entries include the line that made the call, as ``call_site``.
        name: the name of the switcher's attribute through which you reach the plugin.
        enabled: whether calls are recorded.
        description: a description for smartswitch.
        flags: the settings that are on or off, as a smartswitch flag string, such as
            ``"enabled,serialize:off"``. They override the parameters.
        method_config: settings of individual handlers: for a selector, or several separated by
            commas, a dict of ``enabled``, ``sample_rate`` and ``serialize``, or a flag string.

    Raises:
        TypeError: a parameter is unknown, or a value has the wrong type.
        ValueError: a value is out of range.

    Example:
        >>> from smartswitch import Switcher
        >>> api = Switcher("api").plug("collect", max_history=100)
        >>> @api
        ... def double(number):
        ...     return 2 * number
        >>> double(21)
        42
        >>> api.collect.stats("double")["calls"]
        1
    """

    def __init__(
        self,
        max_history: int = 1000,
        serialize: bool = True,
        include_context: bool = True,
        *,
        sample_rate: float = 1.0,
        serializers: Mapping[type, Callable[[Any], Any]] | None = None,
        objects: str = "repr",
        redact: Iterable[str] = SECRET_NAMES,
        call_sites: bool = False,
        name: str = "collect",
        enabled: bool = True,
        description: str | None = None,
        flags: str | None = None,
        method_config: Mapping[str, Any] | None = None,
    ) -> None:
        given = {
            "max_history": max_history,
            "serialize": serialize,
            "include_context": include_context,
            "sample_rate": sample_rate,
            "serializers": serializers,
            "objects": objects,
            "redact": redact,
            "call_sites": call_sites,
            "enabled": enabled,
        }
        settings = changed(DEFAULTS, {**given, **(self._parse_flags(flags) if flags else {})})
        for parameter, text in {"name": name, "description": description}.items():
            if not (isinstance(text, str) and text) and (parameter == "name" or text is not None):
                raise TypeError(f"{parameter} must be a string that is not empty, not {text!r}")
        if method_config is not None and not isinstance(method_config, Mapping):
            raise TypeError(
                f"method_config must be a dict of handlers to their settings, not {method_config!r}"
            )
        BasePlugin.__init__(self, name=name, description=description)
        self._global_config.update({key: getattr(settings, key) for key in given})
        CallLog.__init__(self, settings)
        self._overrides = self.recorder.overrides = _Overrides(self._handler_configs)
        if method_config:
            self._parse_method_configs(dict(method_config))

    # -- the interface of smartswitch -----------------------------------------------------------

    def wrap_handler(
        self, switch: Switcher, entry: MethodEntry, call_next: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Return the layer of smartswitch's chain that records the calls of a handler."""
        probe = chain(self, entry)
        if probe is None:
            return call_next
        self._overrides.by_probe[probe] = (self._handler_configs, entry.name)
        self.recorder.configure(probe)
        decides = ("is_enabled_for", "wrap_handler")
        if all(getattr(type(self), one) is getattr(CollectPlugin, one) for one in decides):
            may_shorten(self, entry, probe.bound(call_next))
        return layer(probe.bound(call_next))

    def to_spec(self) -> Any:
        """Return the specification from which a child's copy is made, which feeds this log.

        Raises:
            TypeError, ValueError: the settings passed with ``plug(plugin, **config)`` are invalid.
        """
        self._refresh()
        return specification(self._copy, self.name)

    def _copy(self, name: str) -> CollectPlugin:
        copy = CollectPlugin.__new__(type(self))
        BasePlugin.__init__(copy, name=name, description=self.description)
        copy.recorder, copy._overrides = self.recorder, self._overrides
        copy._global_config = copy.config = self._global_config
        return copy

    # -- configuration --------------------------------------------------------------------------

    def is_enabled_for(self, method_name: str | None = None) -> bool:
        """Tell whether the calls of ``method_name``, or calls in general, are recorded."""
        # smartswitch calls this before each call. Its own version merges dicts and takes three
        # times as long.
        if self._handler_configs:
            own = self._handler_configs.get(method_name)
            if own is not None and "enabled" in own:
                return bool(own["enabled"])
        enabled: bool = self._global_config["enabled"]
        return enabled

    def _parse_flags(self, flags: str) -> dict[str, bool]:
        if not isinstance(flags, str):
            raise TypeError(f"flags must be a string such as {_FLAGS!r}, not {flags!r}")
        # The method of smartswitch takes any text after the colon as part of the name.
        parsed = {}
        for flag in filter(None, map(str.strip, flags.split(","))):
            name, colon, state = map(str.strip, flag.partition(":"))
            check(name, True, FLAGS)
            if colon and state not in ("on", "off"):
                raise ValueError(f"flag {name!r} must be on or off, not {state!r}")
            parsed[name] = state != "off"
        return parsed

    def _parse_method_configs(self, method_config: Mapping[str, Any]) -> None:
        for names, given in method_config.items():
            if not isinstance(names, str):
                raise TypeError(f"method_config must have names of handlers as keys, not {names!r}")
            if isinstance(given, str):
                given = {"flags": given}
            elif not isinstance(given, Mapping):
                raise TypeError(
                    f"method_config[{names!r}] must be a dict of {', '.join(HANDLER_SETTINGS)}, or "
                    f"flags as text, not {given!r}"
                )
            methods = [one.strip() for one in names.split(",") if one.strip()]
            if methods:
                self._update_config(*methods, **given)

    def _update_config(self, *method_names: str, flags: str | None = None, **config: Any) -> None:
        accepted = HANDLER_SETTINGS if method_names else None
        try:
            if flags:
                config.update(self._parse_flags(flags))
            checked = {name: check(name, value, accepted) for name, value in config.items()}
        except (TypeError, ValueError) as error:
            if not method_names:
                raise
            raise type(error)(f"{', '.join(method_names)}: {error}") from None
        super()._update_config(*method_names, **checked)
        self._refresh()

    def _refresh(self) -> None:
        """Apply the configuration that smartswitch keeps to the recorder."""
        known = dict(vars(self.recorder.rules.settings))
        try:
            settings = changed(DEFAULTS, self._global_config)
        except (TypeError, ValueError):
            self._global_config.clear()
            self._global_config.update(known)
            raise
        self.recorder.change(settings)


class _Overrides:
    """The settings of individual handlers, from all copies of a plugin.

    A handler can be configured at the root, by its selector, and at the switcher where it is
    registered, by its name there. The latter wins.

    Args:
        by_selector: the settings of handlers in the plugin at the root.

    Attributes:
        by_probe: for each handler, the settings of handlers in the plugin at its switcher, and the
            handler's name there.
    """

    def __init__(self, by_selector: Mapping[str, Mapping[str, Any]]) -> None:
        self._by_selector = by_selector
        self.by_probe: weakref.WeakKeyDictionary[
            Probe, tuple[Mapping[str, Mapping[str, Any]], str]
        ] = weakref.WeakKeyDictionary()

    def __call__(self, probe: Probe) -> Mapping[str, Any]:
        own = dict(self._by_selector.get(probe.name.handler, {}))
        if probe in self.by_probe:
            configs, name = self.by_probe[probe]
            own.update(configs.get(name, {}))
        return own


Switcher.register_plugin("collect", CollectPlugin)
