"""CollectPlugin's parameters, and configuration at run time."""

from __future__ import annotations

import contextvars

import pytest
from smartswitch import Switcher
from support import VIA_GET, dispatch

from smartcollect import CollectPlugin

PARAMETERS = [
    ("max_history", -1, ValueError, "zero or more"),
    ("max_history", 1.5, TypeError, "whole number"),
    ("max_history", True, TypeError, "whole number"),
    ("serialize", 1, TypeError, "True or False"),
    ("include_context", "yes", TypeError, "True or False"),
    ("enabled", None, TypeError, "True or False"),
    ("sample_rate", 1.1, ValueError, "0.0 .no call. to 1.0"),
    ("sample_rate", -0.1, ValueError, "0.0 .no call. to 1.0"),
    ("sample_rate", float("nan"), ValueError, "0.0 .no call. to 1.0"),
    ("sample_rate", "1", TypeError, "0.0 .no call. to 1.0"),
    ("serializers", [int], TypeError, "dict that maps types to functions, such .*, not .*int"),
    ("serializers", {"int": str}, TypeError, "dict that maps types to functions, .*; it has 'int'"),
    ("redact", "password", TypeError, "parameter names, .*, not 'password'"),
    ("redact", [1], TypeError, "parameter names, .*; it has 1"),
    ("redact", ["_"], ValueError, "parameter names, .*; '_' has no letters"),
    ("name", 1, TypeError, "string"),
    ("description", 3, TypeError, "string"),
    ("flags", 3, TypeError, "string such as"),
    ("method_config", "x", TypeError, "a dict"),
    ("method_config", {1: {}}, TypeError, "handlers"),
    ("max_history", 10**30, ValueError, "whole number"),
]


@pytest.mark.parametrize(("name", "value", "error", "accepted"), PARAMETERS)
def test_a_wrong_value_names_the_parameter_and_what_it_takes(name, value, error, accepted):
    with pytest.raises(error, match=f"{name} must (be|have) .*{accepted}"):
        CollectPlugin(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", 1, "name must be a string that is not empty, not 1"),
        ("name", "", "name must be a string that is not empty, not ''"),
        ("description", 3, "description must be a string that is not empty, not 3"),
        ("flags", 3, "flags must be a string such as 'enabled,serialize:off', not 3"),
        ("method_config", "x", "method_config must be a dict of handlers to their settings, not "),
        ("method_config", {1: {}}, "method_config must have names of handlers as keys, not 1"),
    ],
)
def test_a_wrong_value_for_smartswitch(name, value, message):
    with pytest.raises(TypeError, match=message):
        CollectPlugin(**{name: value})


@pytest.mark.parametrize("how", ["instance", "class", "name"])
def test_an_unknown_parameter_is_named(how):
    plug = {"instance": CollectPlugin(), "class": CollectPlugin, "name": "collect"}[how]
    sw = Switcher("api")
    with pytest.raises(TypeError, match="max_histroy"):
        sw.plug(plug, max_histroy=5)
    assert sw.iter_plugins() == []


def test_a_plugged_instance_takes_settings_with_the_plug():
    plugin = CollectPlugin()
    sw = Switcher("api").plug(plugin, max_history=1, serialize=False)

    @sw
    def work(value): ...

    value = object()
    work(1)
    work(value)
    assert [entry["args"] for entry in plugin.history()] == [(value,)]


def test_an_invalid_setting_leaves_the_plugin_unchanged():
    plugin = CollectPlugin(max_history=3)
    with pytest.raises(ValueError, match="max_history"):
        Switcher("api").plug(plugin, max_history=-1)
    assert plugin.to_dict()["settings"]["max_history"] == 3
    assert plugin.configure.config["max_history"] == 3


def run(sw):
    for handler in sw.handlers:
        handler([1])
    names = [entry["handler"] for entry in sw.collect.history()]
    sw.collect.clear()
    return names


ALL = ["process", "other", "users.show"]


def test_handlers_are_disabled_at_run_time(sw):
    assert run(sw) == ALL
    sw.collect.configure["process"].enabled = False
    assert run(sw) == ["other", "users.show"]
    assert not sw.collect.is_enabled_for("process")
    assert sw.collect.is_enabled_for("other")
    sw.collect.configure["process"].enabled = True
    sw.collect.configure["users.show"].enabled = False
    assert run(sw) == ["process", "other"]
    sw.collect.configure.enabled = False
    assert run(sw) == ["process"]
    sw.collect.configure.enabled = True
    sw.collect.configure["process, other"].flags = "enabled:off"
    assert run(sw) == []


def test_a_childs_handler_is_configured_at_the_child(sw):
    sw.get_child("users").collect.configure["show"].enabled = False
    assert run(sw) == ["process", "other"]


def test_configuring_a_childs_copy_configures_the_log(sw):
    sw.get_child("users").collect.configure.max_history = 1
    assert run(sw) == ["users.show"]


def test_sample_rate_of_a_handler(sw):
    sw.collect.configure["process"].sample_rate = 0.0
    assert run(sw) == ["other", "users.show"]
    assert sw.collect.configure["process"].sample_rate == 0.0


def test_serialize_of_a_handler(sw):
    value = object()
    sw.collect.configure["process"].serialize = False
    for handler in sw.handlers:
        handler(value)
    kept = [entry["args"] == (value,) for entry in sw.collect.history()]
    assert kept == [True, False, False]


def test_configuration_before_and_after_a_handler_has_its_full_name():
    child = Switcher("users")
    root = Switcher("root").plug("collect", method_config={"users.show": {"enabled": False}})

    @child
    def show(): ...

    root.add_child(child)
    show()
    assert root.collect.history() == []


@pytest.mark.parametrize(
    ("setting", "value", "error", "message"),
    [
        ("enabled", 1, TypeError, "enabled must be True or False, not 1"),
        ("sample_rate", 2, ValueError, "sample_rate must be a number from 0.0 .*, not 2"),
        ("max_history", 5, TypeError, "setting 'max_history' is not available here; choose from"),
        ("samplerate", 1, TypeError, "process: .*'samplerate' .*; did you mean 'sample_rate'"),
    ],
)
def test_a_handler_refuses_settings_that_it_cannot_have(sw, setting, value, error, message):
    with pytest.raises(error, match=message):
        setattr(sw.collect.configure["process"], setting, value)
    assert run(sw) == ALL


def test_the_log_refuses_an_unknown_setting(sw):
    with pytest.raises(
        TypeError, match="setting 'speed' is not available here; choose from max_history"
    ):
        sw.collect.configure.speed = 1


def test_flags():
    plugin = CollectPlugin(flags="enabled:off,serialize:off")
    assert not plugin.is_enabled_for()
    assert plugin.to_dict()["settings"]["serialize"] is False
    settings = CollectPlugin(flags="enabled:on, call_sites").to_dict()["settings"]
    assert settings["enabled"]
    assert settings["call_sites"]
    with pytest.raises(TypeError, match="setting 'max_history' is not available here"):
        CollectPlugin(flags="max_history")
    with pytest.raises(ValueError, match="flag 'enabled' must be on or off, not 'maybe'"):
        CollectPlugin(flags="enabled:maybe")


def test_method_config():
    sw = Switcher("api").plug(
        "collect", method_config={"process": "enabled:off", "other": {"sample_rate": 0.0}}
    )
    for name in ("process", "other", "third"):
        sw(name)(lambda: None)()
    assert sw.collect.uncalled() == ["other", "process"]
    with pytest.raises(
        TypeError, match=r"method_config\['process'\] must be a dict of serialize, "
    ):
        CollectPlugin(method_config={"process": 5})
    with pytest.raises(TypeError, match=r"process: setting 'samplerate' .* 'sample_rate'\?"):
        CollectPlugin(method_config={"process": {"samplerate": 1.0}})


def test_max_history_at_run_time(sw):
    for handler in sw.handlers:
        handler(1)
    sw.collect.configure.max_history = 2
    assert [entry["handler"] for entry in sw.collect.history()] == ["other", "users.show"]


def test_redaction_by_position_and_by_name():
    sw = Switcher("api").plug("collect")

    @sw
    def login(name, password, *, token, extra): ...

    login("ada", "secret", token="t", extra={"api_key": "k", "rest": 1})
    entry = sw.collect.history()[0]
    assert entry["args"] == ("ada", "***")
    assert entry["kwargs"] == {"token": "***", "extra": {"api_key": "***", "rest": 1}}


@pytest.mark.parametrize("serialize", [True, False])
def test_redact_sets_the_names(serialize):
    sw = Switcher("api").plug("collect", redact=["pin"], serialize=serialize)

    @sw
    def login(pin, password, *pinned, key=None, card_pin=None): ...

    login(1, 2, 3, key=4, card_pin=5)
    entry = sw.collect.history()[0]
    assert (entry["args"], entry["kwargs"]) == (("***", 2, 3), {"key": 4, "card_pin": "***"})


def test_redact_nothing_and_rest_arguments():
    for redact, shown in [((), ("a", "b")), (("token",), ("***", "***"))]:
        sw = Switcher("api").plug("collect", redact=redact)

        @sw
        def check(*token): ...

        check("a", "b")
        assert sw.collect.history()[0]["args"] == shown


def test_include_context():
    sw = Switcher("api").plug("collect", include_context=False)
    sw("work")(lambda: None)()
    assert set(sw.collect.history()[0]) == {"handler", "args", "kwargs", "elapsed", "result"}


def test_serializers():
    sw = Switcher("api").plug("collect", serializers={set: sorted})
    sw("work")(lambda value: value)({2, 1})
    assert sw.collect.history()[0]["args"] == ([1, 2],)


def test_another_name():
    sw = Switcher("api").plug("collect", name="recorder")
    sw("work")(lambda: None)()
    assert sw.recorder.stats("work")["calls"] == 1


def test_smartswitch_disables_the_plugin_for_one_instance():
    class Api:
        sw = Switcher("api").plug("collect")

        @sw
        def work(self): ...

    def disabled():
        quiet, loud = Api(), Api()
        Api.sw.set_plugin_enabled(quiet, "work", "collect", False)
        quiet.work()
        loud.work()

    # smartswitch identifies the instance by its address, which an instance of another test may
    # get later.
    contextvars.Context().run(disabled)
    assert Api.sw.collect.stats("work")["calls"] == 1


def test_a_handler_is_switched_off_in_one_context():
    sw = Switcher("api").plug("collect")

    @sw
    def work(number):
        return number

    def switched_off():
        sw.set_plugin_enabled(1, "work", "collect", False)
        return work(1), dispatch(sw, "work")(2), dispatch(sw, "work")(1)

    assert contextvars.Context().run(switched_off) == (1, 2, 1)
    assert work(1) == 1
    assert [call["args"] for call in sw.collect.history()] == [(2,), (1,)]


def test_overridden_methods_decide_whether_a_call_is_recorded():
    class Odd(CollectPlugin):
        def is_enabled_for(self, method_name=None):
            return method_name != "quiet"

    class Picky(Switcher):
        def is_plugin_enabled(self, instance, method_name, plugin_name):
            return instance != 13

    sw = Picky("api").plug(Odd())
    sw("quiet")(lambda number: number)
    loud = sw("loud")(lambda number: number)
    assert [dispatch(sw, "quiet")(1), loud(13), loud(2)] == [1, 13, 2]
    assert [(call["handler"], call["args"]) for call in sw.collect.history()] == [("loud", (2,))]


def test_the_shortcut_does_not_change_how_handlers_look(monkeypatch):
    def seen():
        sw = Switcher("api").plug("collect")

        @sw
        def work(number):
            """Works."""

        shown = ("__name__", "__qualname__", "__module__", "__doc__")
        assert not VIA_GET or dispatch(sw, "work") is work
        assert work.__smartswitch_entry__.name == "work"
        return [getattr(work, name) for name in shown]

    shortened = seen()
    monkeypatch.setattr("smartcollect.sources.smartswitch.switches", None)
    assert seen() == shortened


def test_a_missing_attribute():
    with pytest.raises(AttributeError, match="'CollectPlugin' object has no attribute 'histroy'"):
        CollectPlugin().histroy  # noqa: B018


def test_a_failing_signature_does_not_reach_the_caller():
    class Hostile:
        __name__ = "hostile"

        @property
        def __wrapped__(self):
            raise RuntimeError

        def __call__(self, value):
            return value

    sw = Switcher("api").plug("collect")
    sw(Hostile())
    assert sw._methods["hostile"]._wrapped(1) == 1
    assert sw.collect.stats("hostile")["calls"] == 1
    assert sw.collect.recording_failures == 0  # no property of the handler runs


def test_a_plugin_that_wraps_handlers_itself():
    class Mine(CollectPlugin):
        def wrap_handler(self, switch, entry, call_next):
            recorded = super().wrap_handler(switch, entry, call_next)
            return lambda *args: recorded(*args) + 1

    sw = Switcher("api").plug(Mine())

    @sw
    def work(number):
        return number

    assert work(1) == dispatch(sw, "work")(1) == 2
    assert sw.collect.stats("work")["calls"] == 2


def test_plain_values_are_not_serialized_again(tmp_path):
    sw = Switcher("api").plug("collect", serializers={int: lambda number: number * 2})

    @sw
    def work(*values, **more):
        return 1

    work(list(range(100)), 1, text="x" * 1_000)
    before = sw.collect.to_dict()["history"]
    sw.collect.configure["work"].serialize = False
    thing = object()
    work(1, thing, more=thing)
    assert sw.collect.history(last=1)[0]["args"] == (1, thing)
    assert sw.collect.history(last=1)[0]["kwargs"] == {"more": thing}
    first, second = sw.collect.to_dict()["history"]
    assert [first] == before
    assert first["args"] == list(sw.collect.history(first=1)[0]["args"])
    assert (second["args"], second["result"]) == ([2, repr(thing)], 2)
