"""``CollectPlugin``: what smartswitch sees."""

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
    """Records every call of every handler of a switcher, and answers questions about them.

    The switcher's children are watched too, whether they or their handlers came before the
    plugin or after: one log for the tree. A child that plugs a ``CollectPlugin`` of its own, or
    that was made with ``inherit_plugins=False``, is not.

    Args:
        max_history: how many calls are retained; statistics count all of them.
        serialize: whether values become small plain data at the moment of the call. With
            ``False`` the objects themselves are kept.
        include_context: whether entries of ``history()`` tell ``switcher`` and ``timestamp``.
        sample_rate: the share of calls that is recorded, from 0.0 to 1.0.
        serializers: functions that replace the default for a type and its subclasses.
        objects: how an object is shown that is neither a scalar nor a builtin container:
            ``"repr"``, or ``"type"`` for its type alone (``<Order>``), so that recording never
            runs code of the application.
        redact: names of parameters and dict keys whose values are recorded as ``"***"``; a name
            that holds the words of one of these, such as ``new_password``, is one.
        call_sites: whether entries tell the line that made the call, as ``call_site``.
        name: the attribute of the switcher that answers.
        enabled: whether calls are recorded.
        description: smartswitch's own.
        flags: ``enabled``, ``serialize`` and ``include_context`` as smartswitch's text:
            ``"enabled,serialize:off"``.
        method_config: by handler, settings of its own: ``enabled``, ``sample_rate`` and
            ``serialize``, as a dict or as flags.

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
                raise TypeError(f"{parameter}: {text!r} is not accepted; accepted: text")
        if method_config is not None and not isinstance(method_config, Mapping):
            raise TypeError(f"method_config: {method_config!r} is not accepted; accepted: a dict")
        BasePlugin.__init__(self, name=name, description=description)
        self._global_config.update({key: getattr(settings, key) for key in given})
        CallLog.__init__(self, settings)
        self._overrides = self.recorder.overrides = _Overrides(self._handler_configs)
        if method_config:
            self._parse_method_configs(dict(method_config))

    # -- smartswitch's side ---------------------------------------------------------------------

    def wrap_handler(
        self, switch: Switcher, entry: MethodEntry, call_next: Callable[..., Any]
    ) -> Callable[..., Any]:
        """The layer of smartswitch's chain that records."""
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
        """What a child's copy is made of: it feeds this log.

        Raises:
            TypeError, ValueError: ``plug(plugin, **config)`` was given something that is no
                setting.
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
        """Whether calls of ``method_name``, or calls in general, are recorded."""
        # smartswitch asks before each call: this takes a third of its own, which merges dicts.
        if self._handler_configs:
            own = self._handler_configs.get(method_name)
            if own is not None and "enabled" in own:
                return bool(own["enabled"])
        enabled: bool = self._global_config["enabled"]
        return enabled

    def _parse_flags(self, flags: str) -> dict[str, bool]:
        if not isinstance(flags, str):
            raise TypeError(f"flags: {flags!r} is not accepted; accepted: text such as {_FLAGS!r}")
        parsed: dict[str, bool] = super()._parse_flags(flags)
        for name in parsed:
            check(name, parsed[name], FLAGS)
        return parsed

    def _parse_method_configs(self, method_config: Mapping[str, Any]) -> None:
        for names, given in method_config.items():
            if not isinstance(names, str):
                raise TypeError(f"method_config: {names!r} is not accepted; accepted: handlers")
            if isinstance(given, str):
                given = self._parse_flags(given)
            elif not isinstance(given, Mapping):
                raise TypeError(
                    f"method_config: {names!r}: {given!r} is not accepted; accepted: a dict of "
                    f"{', '.join(HANDLER_SETTINGS)}, or flags"
                )
            methods = [one.strip() for one in names.split(",") if one.strip()]
            if methods:
                self._update_config(*methods, **given)

    def _update_config(self, *method_names: str, flags: str | None = None, **config: Any) -> None:
        if flags:
            config.update(self._parse_flags(flags))
        accepted = HANDLER_SETTINGS if method_names else None
        checked = {name: check(name, value, accepted) for name, value in config.items()}
        super()._update_config(*method_names, **checked)
        self._refresh()

    def _refresh(self) -> None:
        """Put the configuration that smartswitch keeps in force."""
        known = dict(vars(self.recorder.rules.settings))
        try:
            settings = changed(DEFAULTS, self._global_config)
        except (TypeError, ValueError):
            self._global_config.clear()
            self._global_config.update(known)
            raise
        self.recorder.change(settings)


class _Overrides:
    """The settings that single handlers have, as all copies of a plugin were configured.

    A handler is configured at the root by its selector, or at its own switcher by its name.

    Args:
        by_selector: the handlers' settings of the plugin at the root.

    Attributes:
        by_probe: by handler, the settings of the plugin at its own switcher, and its name there.
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
