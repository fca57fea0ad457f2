"""A watched smartswitch looks and behaves like a bare one, in any sequence of operations."""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import inspect
import io
import itertools
import pickle
import re
import sys
from collections import Counter
from contextvars import Context
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import smartswitch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support import SOAK, VIA_GET, dispatch, needs_get

from smartcollect import collecting
from smartcollect.plugin import CollectPlugin

pytestmark = pytest.mark.twice


def bare_copy() -> ModuleType:
    """Import a separate, unwatched copy of smartswitch with its own context variables."""

    def taken() -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] == "smartswitch"]
        return {name: sys.modules.pop(name) for name in names}

    kept = taken()
    try:
        return importlib.import_module("smartswitch")
    finally:
        taken()
        sys.modules.update(kept)


BARE = bare_copy()
# In place of `CollectPlugin`, so that errors about unknown plugins list the same names.
BARE.Switcher.register_plugin("collect", BARE.BasePlugin)

# The application, executed once for each side. It is text because pickled objects must be found in
# a module, and each side needs its own functions there.
_APPLICATION = compile(
    '''
import collections, contextlib, functools, types

Point = collections.namedtuple("Point", "value")
inner = []

@types.coroutine
def pause(value):
    return (yield ("paused", value))

def step(value):
    if value == "fail":
        raise Refused("refused", value)
    if value == "stop":
        raise StopIteration(value)
    if value == "exit":
        raise SystemExit(value)
    return value

class Refused(Exception):
    def __init__(self, reason, value):
        super().__init__(reason)
        self.value = value

def plain(value):
    """Documented."""
    return step(value)

def defaults(value, factor=3, *, offset=1, **rest):
    return value, factor, offset, rest

def positional(value, /, factor=2, *rest):
    return value, factor, rest

def keywords(*, value, factor=None):
    return value, factor

def annotated(value: int, factor: "str" = "x") -> str:
    return f"{value!r}{factor!r}"

def cleaning(value):
    try:
        return step(value)
    finally:
        inner.append(value)

def chained(value):
    try:
        return step(value)
    except Refused as error:
        raise LookupError(value) from error

def counted(value=0):
    counted.calls = getattr(counted, "calls", 0) + 1
    return counted.calls, value

def evaluated(value):
    return sorted(locals()), sorted(name for name in ("value",) for one in [value])

def _do_prefixed(value):
    return ("prefixed", step(value))

async def coroutine(value, factor=1):
    """Waits."""
    first = await pause(value)
    try:
        second = await pause(first)
    except LookupError as error:
        second = repr(error)
    return step(value), first, second, factor

async def immediate(value):
    return step(value)

# Copies that are not handlers, so that the number of recorded calls is known.
def unregistered(function):
    return types.FunctionType(function.__code__, globals(), function.__name__, (1,))

def behind(value):
    return unregistered(coroutine)(value)

def generator(value, *rest):
    try:
        given = yield value
        try:
            given = yield ("given", given)
        except LookupError as error:
            given = yield ("caught", repr(error))
        yield step(value)
        return (given, rest)
    finally:
        inner.append(("over", value))

def delegating(value):
    result = yield from unregistered(generator)(value)
    return ("delegated", result)

def expression(value):
    return (one for one in (value, value))

async def asynchronous(value):
    try:
        given = yield await pause(value)
        try:
            given = yield ("given", given)
        except LookupError as error:
            given = yield ("caught", repr(error), await pause(given))
        yield step(value)
    finally:
        inner.append(("over", value))

@types.coroutine
def awaitable(value):
    given = yield value
    return (step(value), given)

class Instance:
    def __call__(self, value):
        return ("instance", step(value))
    def __repr__(self):
        return "Instance()"
    def __eq__(self, other):
        return isinstance(other, Instance)
    def __hash__(self):
        return 1

class Named(Instance):
    def __init__(self, name="named"):
        self.__name__ = name

instance = Instance()
named = Named()

class Thing:
    """A class that is a handler."""
    shared = 1
    def __init__(self, value):
        self.value = step(value)
    def __repr__(self):
        return f"Thing({self.value!r})"

partial = functools.partial(defaults, 1, offset=2)
named_partial = functools.partial(defaults, 1)
named_partial.__name__ = "named_partial"
anonymous = lambda value, factor=2: (value, factor)
builtin = len
bound = Instance().__call__
static = staticmethod(plain)
of_class = classmethod(plain)

@functools.lru_cache(maxsize=None)
def cached(value):
    return [step(value)]

@functools.singledispatch
def overloaded(value):
    return "any"

@overloaded.register(int)
def _(value):
    return "int"

@contextlib.contextmanager
def managed(value):
    yield value

def decorator(function):
    @functools.wraps(function)
    def decorated(*args, **kwargs):
        return function(*args, **kwargs)
    return decorated

@decorator
def decorated(value: int):
    """Decorated."""
    return step(value)

def closure(start):
    total, unused, other = start, [], 1
    def add(value, by=1):
        """Adds up."""
        nonlocal total
        total = (total, step(value), by, other)
        return total
    return add

def waiting(start):
    async def wait(value):
        return (await pause(start)), step(value)
    return wait

def producing(start):
    def produce(value):
        yield start
        return step(value)
    return produce

def streaming(start):
    async def stream(value):
        yield start
        yield step(value)
    return stream

def recursive(again):
    def countdown(value):
        if not isinstance(value, int) or value <= 0:
            return [step(value)]
        rest = again(value - 1)
        inner.append("again")
        return [value, *rest]
    return countdown

def shop(sw, alias):
    class Base:
        def total(self, value):
            return ("base", value)

    class Shop(Base):
        api = sw

        def __init__(self, start):
            self.start = start

        def __repr__(self):
            return f"Shop({self.start!r})"

        @sw(alias)
        def total(self, value=0):
            return self.start, step(value), super().total(value), __class__.__name__

        @sw
        async def later(self, value):
            return self.start, await pause(value)

        @sw
        def each(self, value):
            yield self.start
            yield step(value)

        @classmethod
        @sw
        def make(cls, value):
            return cls(step(value))

        @staticmethod
        @sw
        def inside(value):
            return step(value)

        @sw
        @staticmethod
        def outside(value):
            return step(value)

        @property
        @sw
        def size(self):
            return self.start

    return Shop
''',
    "<application>",
    "exec",
    dont_inherit=True,
)
_MODULE_LEVEL = [
    "plain",
    "defaults",
    "positional",
    "keywords",
    "annotated",
    "cleaning",
    "chained",
    "counted",
    "evaluated",
    "_do_prefixed",
    "coroutine",
    "immediate",
    "behind",
    "generator",
    "delegating",
    "expression",
    "asynchronous",
    "awaitable",
    "instance",
    "named",
    "Thing",
    "partial",
    "named_partial",
    "anonymous",
    "builtin",
    "bound",
    "static",
    "of_class",
    "cached",
    "overloaded",
    "managed",
    "decorated",
]
_MADE = ["closure", "waiting", "producing", "streaming"]
# Handlers that work after their calls return, so that wrong arguments may raise later.
_WORKS_LATER = {
    "coroutine",
    "immediate",
    "generator",
    "delegating",
    "asynchronous",
    "awaitable",
    "waiting",
    "producing",
    "streaming",
}


def plugins_of(package: ModuleType) -> dict[str, type]:
    """Return typical plugins for the smartswitch of one side."""

    class Changing(package.BasePlugin):
        """Counts calls, and changes their arguments and results."""

        def __init__(self, name=None, **config):
            super().__init__(name or "changing", **config)
            self.seen = []

        def wrap_handler(self, switch, entry, call_next):
            def changed(*args, **kwargs):
                self.seen.append((entry.name, len(args), sorted(kwargs)))
                result = call_next(*args, **kwargs)
                return result + 1000 if type(result) is int else result

            return changed

    class Describing(package.BasePlugin):
        """Notes handlers at registration and does not change their calls."""

        def on_decore(self, switch, func, entry):
            entry.metadata["described"] = (func.__name__, str(inspect.signature(func)))

        on_decorate = on_decore

        def wrap_handler(self, switch, entry, call_next):
            return call_next

    class Replacing(package.BasePlugin):
        """Registers a wrapper in place of each handler."""

        def on_decore(self, switch, func, entry):
            @functools.wraps(func)
            def replaced(*args, **kwargs):
                return func(*args, **kwargs)

            entry.func = replaced
            entry.metadata["replaced"] = True

        on_decorate = on_decore

    class Retrying(package.BasePlugin):
        """Calls a handler again if it fails."""

        def wrap_handler(self, switch, entry, call_next):
            def retried(*args, **kwargs):
                try:
                    return call_next(*args, **kwargs)
                except Exception:
                    return "retried", call_next(*args, **kwargs)

            return retried

    class Refusing(package.BasePlugin):
        """Refuses handlers whose name contains an ``n``."""

        def on_decore(self, switch, func, entry):
            if "n" in entry.name:
                raise ValueError(f"{entry.name} is not admitted")

        on_decorate = on_decore

    made = {one.__name__: one for one in (Changing, Describing, Replacing, Retrying, Refusing)}
    return {**made, "Base": package.BasePlugin, "Logging": package.LoggingPlugin}


class Side:
    """A smartswitch and an application for it."""

    def __init__(self, package: ModuleType) -> None:
        self.Switcher = package.Switcher
        self.BasePlugin = package.BasePlugin
        self.plugins = plugins_of(package)
        self.module = ModuleType("application")
        exec(_APPLICATION, vars(self.module))

    def pickled(self, value: Any) -> Any:
        """Pickle and unpickle ``value``."""
        before = sys.modules.get("application")
        sys.modules["application"] = self.module
        try:
            return pickle.loads(pickle.dumps(value))
        finally:
            del sys.modules["application"]
            if before is not None:
                sys.modules["application"] = before


class Pair(NamedTuple):
    """The same object on both sides."""

    watched: Any
    bare: Any


class Handler(NamedTuple):
    """The result of registering a function.

    Attributes:
        kind: the name of the function in the application.
        original: the registered function.
        made: the return value of the registration.
        switcher, name: the switcher, and the name of the handler in it.
    """

    kind: str
    original: Pair
    made: Pair
    switcher: Pair
    name: str


def _key(pair: Pair) -> int:
    """Return a key of a function; a static method has the key of its function."""
    return id(getattr(pair.bare, "__func__", pair.bare))


def text_of(value: Any) -> str:
    """Return text for a value that is the same for equal values of both sides."""
    return re.sub(r"0x[0-9a-fA-F]+", "0x", f"{value.__class__.__name__}: {value!r}")


def face(handler: Any) -> dict[str, Any]:
    """Return everything visible of a handler without calling it."""
    names = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")
    names += ("__defaults__", "__kwdefaults__")
    tests = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
        inspect.isclass,
        inspect.isroutine,
        callable,
    )

    wraps = hasattr(handler, "__wrapped__")
    plain = inspect.isfunction(handler) and not wraps

    def parameters(read: Any) -> Any:
        try:
            return str(read(handler))
        except (TypeError, ValueError) as error:
            return text_of(error)

    return {
        "text": text_of(handler),
        "named": [text_of(getattr(handler, name, None)) for name in names],
        "tested": [test(handler) for test in tests],
        "signature": parameters(inspect.signature),
        # `functools.wraps` copies the `__signature__` of a watched function.
        "arguments": plain and parameters(inspect.getfullargspec),
        "wrapped": wraps,
        "public": [name for name in dir(handler) if not name.startswith("_")],
    }


class Driven(NamedTuple):
    """Observations of a coroutine or generator that was driven after the call returned."""

    seen: list[Any]


def driven(result: Any, way: str) -> Any:
    """Return ``result`` or, for a coroutine or generator, drive it and return observations.

    Args:
        way: "end" drives it to its end, "throw" throws an exception in after the first step,
            "close" closes it then, and "leave" closes it before the first step.
    """
    if inspect.isasyncgen(result):

        def awaited(step: Any) -> Any:
            pauses = []
            try:
                while True:
                    pauses.append(step.send(None))
            except StopIteration as stop:
                return pauses, stop.value

        def send(value: Any) -> Any:
            return awaited(result.asend(value))

        def throw(error: BaseException) -> Any:
            return awaited(result.athrow(error))

        def close() -> Any:
            return awaited(result.aclose())

    elif inspect.isgenerator(result) or inspect.iscoroutine(result):
        send, throw, close = result.send, result.throw, result.close
    else:
        return result
    seen: list[Any] = [result.__class__.__name__, result.__name__, result.__qualname__]
    try:
        if way != "leave":
            seen.append(send(None))
            if way == "throw":
                seen.append(throw(LookupError("thrown")))
            for number in range(4 if way in ("end", "throw") else 0):
                seen.append(send(number))
    except (StopIteration, StopAsyncIteration) as stop:
        seen.append(("stopped", stop.__class__.__name__, stop.args))
    finally:
        seen.append(("closed", close()))
    return Driven(seen)


class Outcome:
    """The outcome of an operation.

    Attributes:
        value: the return value.
        error: the exception, if it raised.
        seen: the observable parts, as text.
    """

    def __init__(self, operation: Any, *values: Any) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                self.value = operation(*values)
        except (Exception, SystemExit) as error:
            self.error = error
            cause, context = error.__cause__, error.__context__
            seen = [
                text_of(error),
                str(error),
                text_of(cause),
                text_of(context),
                sorted(vars(error)),
            ]
        else:
            seen = [text_of(self.value)]
        self.seen = [*(re.sub(r"0x[0-9a-f]+", "0x", text) for text in map(str, seen))]
        self.seen.append(re.sub(r"0x[0-9a-f]+", "0x", printed.getvalue()))


NAMES = ["plain", "first", "second", "countdown", "add", "<lambda>", "total"]
CHILD_NAMES = ["users", "orders", "child"]
SELECTORS = [
    *NAMES,
    *(f"{child}.{name}" for child in CHILD_NAMES for name in ("plain", "first", "unknown")),
    "users.orders.first",
    "unknown",
    "",
    ".",
]
VALUES = [0, 1, 2, 3, "a", "fail", "stop", "exit", None, (1, "b"), 2.5, [1, [2]], {"key": {1}}]
aliases = st.none() | st.sampled_from(NAMES)
values = st.sampled_from(VALUES)
# Most of the time a single value, which most handlers take.
arguments = st.one_of(
    st.tuples(st.tuples(values), st.just({})),
    st.tuples(st.tuples(values), st.just({})),
    st.tuples(
        st.lists(values, max_size=3).map(tuple),
        st.dictionaries(
            st.sampled_from(["value", "factor", "offset", "wrong"]), values, max_size=2
        ),
    ),
)
ways = st.sampled_from(["end", "end", "throw", "close", "leave"])


def fits(handler: Handler, given: Any) -> bool:
    """Return whether the arguments of a call match the handler's parameters."""
    args, kwargs = given
    try:
        inspect.signature(handler.original.bare, follow_wrapped=False).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


class Suite(RuleBasedStateMachine):
    """Random operations of smartswitch, run on both sides."""

    collects = False

    switchers = Bundle("switchers")
    handlers = Bundle("handlers")
    originals = Bundle("originals")
    shops = Bundle("shops")

    def __init__(self) -> None:
        super().__init__()
        # A separate context, so that a plugin switched off in one run is not off in the next.
        self.context = Context()
        self.sides = Pair(Side(smartswitch), Side(BARE))
        self.all_switchers: list[Pair] = []
        self.all_plugins: list[Pair] = []
        self.all_handlers: list[Handler] = []
        self.all_originals: list[Pair] = []
        self.registrations: Counter[int] = Counter()
        self.known: dict[str, Pair] = {}
        self.keys = itertools.count()
        self.watching = contextlib.ExitStack()
        self.log = self.watching.enter_context(collecting())

    def teardown(self) -> None:
        self.watching.close()
        self.handlers_look_alike()
        if not self.collects:
            for original in self.all_originals:
                self.both(lambda side, one: self._own(one), original)
        # Otherwise the next run would watch them too, until they are garbage collected.
        for switcher in self.all_switchers:
            for side in switcher:
                side._methods.clear()

    def _own(self, function: Any) -> Any:
        if hasattr(function, "__wrapped__") or not inspect.isfunction(function):
            return None
        return list(vars(function)), function.__code__

    def both(self, operation: Any, *pairs: Pair, alike: bool = True) -> Pair:
        """Run an operation on each side, with its part of each pair, and return the outcomes."""
        outcomes = Pair(
            *(
                self.context.run(Outcome, operation, side, *(pair[index] for pair in pairs))
                for index, side in enumerate(self.sides)
            )
        )
        if alike:
            assert outcomes.watched.seen == outcomes.bare.seen
        return outcomes

    def made(self, operation: Any, *pairs: Pair) -> Pair | None:
        """Run an operation on each side, and return the values unless it failed."""
        watched, bare = self.both(operation, *pairs)
        return None if bare.error is not None else Pair(watched.value, bare.value)

    # -- switchers ------------------------------------------------------------------------------

    def _switcher(self, made: Pair | None) -> Any:
        if made is None:
            return multiple()
        self.all_switchers.append(made)
        return made

    @initialize(target=switchers, name=st.none() | st.just("api"))
    def begin(self, name: str | None) -> Any:
        return self._switcher(self.made(lambda side: side.Switcher(name)))

    @rule(
        target=switchers,
        name=st.none() | st.sampled_from(CHILD_NAMES),
        prefix=st.sampled_from([None, "", "_do_", "cor"]),
    )
    def create(self, name: str | None, prefix: str | None) -> Any:
        return self._switcher(self.made(lambda side: side.Switcher(name, prefix=prefix)))

    @rule(
        target=switchers,
        parent=switchers,
        name=st.none() | st.sampled_from(CHILD_NAMES),
        options=st.sampled_from([{}, {}, {"inherit_plugins": False}, {"prefix": "_do_"}]),
    )
    def create_child(self, parent: Pair, name: str | None, options: dict[str, Any]) -> Any:
        made = self.made(lambda side, parent: side.Switcher(name, parent=parent, **options), parent)
        return self._switcher(made)

    @precondition(lambda self: VIA_GET)
    @rule(target=switchers, original=originals)
    def create_with_a_default(self, original: Pair) -> Any:
        made = self.made(lambda side, one: side.Switcher(get_default_handler=one), original)
        return self._switcher(made)

    def _circular(self, parent: Pair, child: Any) -> bool:
        """Return whether ``child`` is above ``parent``; smartswitch cannot describe such cycles."""
        node = parent.bare.parent
        while node is not None and node is not child:
            node = node.parent
        return node is not None

    @rule(parent=switchers, child=switchers, name=st.none() | st.sampled_from(CHILD_NAMES))
    def add_child(self, parent: Pair, child: Pair, name: str | None) -> None:
        if not self._circular(parent, child.bare):
            self.both(lambda side, parent, child: parent.add_child(child, name=name), parent, child)

    @rule(parent=switchers, shop=shops)
    def add_the_switchers_of_an_object(self, parent: Pair, shop: Pair) -> None:
        if not self._circular(parent, shop.bare.api):
            self.both(lambda side, parent, shop: parent.add_child(shop), parent, shop)

    @rule(switcher=switchers, name=st.sampled_from([*CHILD_NAMES, "unknown"]))
    def get_child(self, switcher: Pair, name: str) -> None:
        self.both(lambda side, switcher: switcher.get_child(name), switcher)

    @rule(switcher=switchers)
    def use_parent_plugins(self, switcher: Pair) -> None:
        self.both(lambda side, switcher: switcher.use_parent_plugins(), switcher)

    @rule(switcher=switchers)
    def copy_plugins_from_parent(self, switcher: Pair) -> None:
        self.both(lambda side, switcher: switcher.copy_plugins_from_parent(), switcher)

    # -- plugins --------------------------------------------------------------------------------

    @rule(
        switcher=switchers,
        plugin=st.sampled_from(
            ["Changing", "Describing", "Replacing", "Retrying", "Refusing", "Base"]
        ),
        how=st.sampled_from(["class", "instance"]),
        config=st.sampled_from([{}, {}, {"name": "other"}, {"enabled": False}]),
    )
    def plug(self, switcher: Pair, plugin: str, how: str, config: dict[str, Any]) -> None:
        def plugged(side: Side, switcher: Any) -> Any:
            made = side.plugins[plugin]
            if how == "class":
                return switcher.plug(made, **config) is switcher
            return switcher.plug(made(**config)) is switcher

        self.both(plugged, switcher)

    @rule(
        switcher=switchers,
        plugin=st.sampled_from(["logging", "logging", "pydantic", "unknown", 7]),
        flags=st.sampled_from(
            [None, "print,enabled,after", "print,enabled,before:off", "enabled:off"]
        ),
    )
    def plug_by_name(self, switcher: Pair, plugin: Any, flags: str | None) -> None:
        config = {} if flags is None or plugin != "logging" else {"flags": flags}
        self.both(lambda side, switcher: switcher.plug(plugin, **config) is switcher, switcher)

    @precondition(lambda self: self.collects)
    @rule(switcher=switchers, how=st.sampled_from(["name", "class", "instance"]))
    def plug_a_collector(self, switcher: Pair, how: str) -> None:
        plugin: Any = {"name": "collect", "class": CollectPlugin}.get(how) or CollectPlugin()

        def plugged(side: Side, switcher: Any) -> Any:
            if side is self.sides.watched:
                return switcher.plug(plugin) is switcher
            return switcher.plug(side.BasePlugin(name="collect")) is switcher

        self.both(plugged, switcher)

    @rule(
        switcher=switchers,
        plugin=st.sampled_from(["changing", "logging", "Retrying", "collect", "unknown"]),
        handler=st.none() | st.sampled_from(NAMES),
        flags=st.sampled_from(["enabled", "enabled:off"]),
    )
    def configure(self, switcher: Pair, plugin: str, handler: str | None, flags: str) -> None:
        def configured(side: Side, switcher: Any) -> Any:
            proxy = getattr(switcher, plugin).configure
            (proxy if handler is None else proxy[handler]).flags = flags
            return plugin

        self.both(configured, switcher)

    @rule(
        switcher=switchers,
        handler=handlers,
        plugin=st.sampled_from(["changing", "logging", "Retrying", "collect"]),
        shop=st.none() | shops,
        enabled=st.booleans(),
    )
    def set_plugin_enabled(
        self, switcher: Pair, handler: Handler, plugin: str, shop: Pair | None, enabled: bool
    ) -> None:
        def switched(side: Side, switcher: Any, shop: Any) -> Any:
            switcher.set_plugin_enabled(shop, handler.name, plugin, enabled)
            return switcher.is_plugin_enabled(shop, handler.name, plugin)

        self.both(switched, switcher, shop or Pair(None, None))

    @rule(
        switcher=switchers, handler=st.sampled_from(NAMES), key=st.sampled_from("ab"), value=values
    )
    def runtime_data(self, switcher: Pair, handler: str, key: str, value: Any) -> None:
        def kept(side: Side, switcher: Any) -> Any:
            before = switcher.get_runtime_data(None, handler, "changing", key, "unset")
            switcher.set_runtime_data(None, handler, "changing", key, value)
            return before, switcher.get_runtime_data(None, handler, "changing", key)

        self.both(kept, switcher)

    # -- handlers -------------------------------------------------------------------------------

    def _register(self, kind: str, original: Pair, switcher: Pair, alias: str | None) -> Any:
        def registered(side: Side, switcher: Any, one: Any) -> Any:
            return switcher(one) if alias is None else switcher(alias)(one)

        before = len(switcher.bare._methods)
        made = self.made(registered, switcher, original)
        if made is None:
            assert len(switcher.watched._methods) == before
            return multiple()
        name = next(reversed(switcher.bare._methods))
        handler = Handler(kind, original, made, switcher, name)
        self.all_handlers.append(handler)
        self.registrations[_key(original)] += 1
        return handler

    def _original(self, original: Pair) -> Pair:
        self.all_originals.append(original)
        return original

    @rule(target=originals, kind=st.sampled_from(_MODULE_LEVEL))
    def find(self, kind: str) -> Any:
        if kind not in self.known:
            self.known[kind] = self._original(
                Pair(*(getattr(side.module, kind) for side in self.sides))
            )
        return self.known[kind]

    @rule(
        target=handlers,
        kind=st.sampled_from(_MODULE_LEVEL),
        switcher=switchers,
        alias=aliases,
    )
    def register(self, kind: str, switcher: Pair, alias: str | None) -> Any:
        return self._register(kind, self.find(kind), switcher, alias)

    @rule(target=handlers, kind=st.sampled_from(_MADE), switcher=switchers, alias=aliases)
    def register_a_closure(self, kind: str, switcher: Pair, alias: str | None) -> Any:
        key = next(self.keys)
        made = Pair(*(getattr(side.module, kind)(key) for side in self.sides))
        return self._register(kind, self._original(made), switcher, alias)

    @rule(target=handlers, switcher=switchers, alias=aliases)
    def register_what_calls_itself(self, switcher: Pair, alias: str | None) -> Any:
        def again(switcher: Any) -> Any:
            return lambda value: dispatch(switcher, alias or "countdown")(value)

        made = Pair(
            *(side.module.recursive(again(switcher[at])) for at, side in enumerate(self.sides))
        )
        return self._register("recursive", self._original(made), switcher, alias)

    @rule(target=handlers, handler=handlers, switcher=switchers, alias=aliases)
    def register_once_more(self, handler: Handler, switcher: Pair, alias: str | None) -> Any:
        self.registrations[_key(handler.original)] += 1
        self.registrations[_key(handler.made)] += 1
        return self._register(handler.kind, handler.made, switcher, alias)

    @precondition(lambda self: VIA_GET)
    @rule(target=handlers, handler=handlers, switcher=switchers, alias=aliases)
    def register_what_was_dispatched(
        self, handler: Handler, switcher: Pair, alias: str | None
    ) -> Any:
        made = self.made(lambda side, sw: sw[handler.name], handler.switcher)
        if made is None:
            return multiple()
        for pair in (handler.original, made):
            self.registrations[_key(pair)] += 1
        return self._register(handler.kind, made, switcher, alias)

    @rule(target=handlers, handler=handlers, switcher=switchers, alias=aliases)
    def register_what_wraps_a_handler(
        self, handler: Handler, switcher: Pair, alias: str | None
    ) -> Any:
        made = self.made(lambda side, one: side.module.decorator(one), handler.made)
        if made is None:
            return multiple()
        self.registrations[_key(made)] += 1
        return self._register(handler.kind, made, switcher, alias)

    @rule(target=shops, switcher=switchers, alias=st.sampled_from(NAMES), start=values)
    def register_methods(self, switcher: Pair, alias: str, start: Any) -> Any:
        made = self.made(lambda side, sw: side.module.shop(sw, alias)(start), switcher)
        return multiple() if made is None else made

    @rule(
        handler=handlers,
        attribute=st.sampled_from(
            [
                ("tag", 1),
                ("__doc__", "Documented anew."),
                ("__name__", "renamed"),
            ]
        ),
    )
    def set_an_attribute(self, handler: Handler, attribute: tuple[str, Any]) -> None:
        name, value = attribute
        if inspect.isfunction(handler.made.bare):
            self.both(lambda side, one: setattr(one, name, value), handler.made)

    # -- calls ----------------------------------------------------------------------------------

    def _call(
        self, handler: Handler | None, operation: Any, given: Any, way: str, *pairs: Pair
    ) -> None:
        again = self.sides.watched.module.inner
        before, inner = self._calls(), again.count("again")

        def called(side: Side, *found: Any) -> Any:
            args, kwargs = copy.deepcopy(given)
            result = operation(side, *found)(*args, **kwargs)
            same = [result is value for value in args]
            return driven(result, way), same, args, kwargs

        watched, bare = self.both(called, *pairs, alike=False)
        # Wrong arguments may raise at the first step only, which "leave" does not make.
        if way != "leave" or bare.error is None:
            assert watched.seen == bare.seen
            if handler is not None and self._counts(handler):
                left = way == "leave" and self._deferred(bare)
                expected = 0 if left else 1 + again.count("again") - inner
                counted = self._calls() - before
                # A call with wrong arguments never starts; only a layer records it.
                assert counted == expected or (counted == 0 and not fits(handler, given))

    def _deferred(self, outcome: Outcome) -> bool:
        return outcome.error is None and type(outcome.value[0]) is Driven

    def _calls(self) -> int:
        return sum(row["calls"] for row in self.log.stats().values())

    def _counts(self, handler: Handler) -> bool:
        return self.registrations[_key(handler.original)] == 1

    def _fails_late(self, handler: Handler, given: Any) -> bool:
        """Return whether wrong arguments may raise later than for a bare handler."""
        if handler.kind not in _WORKS_LATER or self._counts(handler):
            return False
        try:
            inspect.signature(handler.original.bare).bind(*given[0], **given[1])
        except TypeError:
            return True
        return not inspect.signature(handler.original.bare).parameters.get("value")

    @rule(handler=handlers, calls=st.lists(st.tuples(arguments, ways), min_size=4, max_size=8))
    def call_often(self, handler: Handler, calls: list[Any]) -> None:
        for given, way in calls:
            self.call(handler, given, way)

    @rule(handler=handlers, given=arguments, way=ways)
    def call(self, handler: Handler, given: Any, way: str) -> None:
        if not self._fails_late(handler, given):
            # A callable without Python code is recorded through its switcher only.
            seen = handler if inspect.isfunction(handler.made.bare) else None
            self._call(seen, lambda side, one: one, given, way, handler.made)

    @rule(handler=handlers, given=arguments, way=ways)
    def call_through_the_switcher(self, handler: Handler, given: Any, way: str) -> None:
        def found(side: Side, switcher: Any) -> Any:
            return dispatch(switcher, handler.name)

        # In 0.10 a call with one callable registers it.
        if "." not in handler.name and not self._fails_late(handler, given):
            self._call(handler, found, given, way, handler.switcher)

    @rule(handler=handlers, given=arguments, way=ways)
    def call_the_plain_function(self, handler: Handler, given: Any, way: str) -> None:
        if not self._fails_late(handler, given):
            self._call(None, lambda side, one: one, given, way, handler.original)

    @rule(switcher=switchers, selector=st.sampled_from(SELECTORS), value=values)
    def dispatch(self, switcher: Pair, selector: str, value: Any) -> None:
        given = ((value,), {})
        self._call(None, lambda side, sw: dispatch(sw, selector), given, "end", switcher)

    @precondition(lambda self: VIA_GET)
    @rule(
        switcher=switchers,
        selector=st.sampled_from(SELECTORS),
        default=st.none() | originals,
        options=st.sampled_from([{}, {}, {"use_smartasync": True}]),
        given=arguments,
    )
    def get(
        self,
        switcher: Pair,
        selector: str,
        default: Pair | None,
        options: dict[str, Any],
        given: Any,
    ) -> None:
        def found(side: Side, switcher: Any, default: Any) -> Any:
            more = {} if default is None else {"default_handler": default}
            return switcher.get(selector, **more, **options)

        pair = default or Pair(None, None)
        self.both(lambda *of: face(found(*of)), switcher, pair)
        self.both(lambda side, sw, one: found(side, sw, one) is one, switcher, pair)
        self._call(None, found, ((1,), {}), "end", switcher, pair)

    @rule(
        shop=shops,
        method=st.sampled_from(["total", "later", "each", "make", "inside", "outside", "size"]),
        given=arguments,
        of_class=st.booleans(),
    )
    def call_a_method(self, shop: Pair, method: str, given: Any, of_class: bool) -> None:
        def found(side: Side, shop: Any) -> Any:
            if of_class and method not in ("make", "inside", "outside", "size"):
                return functools.partial(getattr(type(shop), method), shop)
            return getattr(type(shop) if of_class else shop, method)

        self.both(lambda side, shop: text_of(found(side, shop)), shop)
        self._call(None, found, given, "end", shop)

    @rule(shop=shops, selector=st.sampled_from(["total", "first", "later", "each", "outside"]))
    def call_a_method_through_the_switcher(self, shop: Pair, selector: str) -> None:
        def found(side: Side, shop: Any) -> Any:
            return functools.partial(dispatch(shop.api, selector), shop)

        self._call(None, found, ((1,), {}), "end", shop)

    # -- checks after each operation --------------------------------------------------------------

    @invariant()
    def switchers_look_alike(self) -> None:
        for pair in self.all_switchers:
            self.both(lambda side, sw: self._looks(sw), pair)

    def _looks(self, switcher: Any) -> Any:
        plugins = switcher.iter_plugins()
        return (
            switcher.describe(),
            [plugin.name for plugin in plugins],
            [getattr(plugin, "seen", None) for plugin in plugins],
            # A child shares the configuration of a collector that it inherits.
            [one.is_enabled_for("first") for one in plugins if one.name != "collect"],
            [entry.metadata.get("described") for entry in switcher._methods.values()],
            sorted(switcher.registered_plugins()),
            sorted(switcher._children),
        )

    @invariant()
    def handlers_look_alike(self) -> None:
        for handler in self.all_handlers:
            self.both(lambda side, one: face(one), handler.made)
            self.both(lambda side, one: face(one), handler.original)
            self.both(self._found(handler), handler.switcher, handler.original, handler.made)

    def _found(self, handler: Handler) -> Any:
        # A callable without Python code, or with two names, has a proxy in the switcher.
        itself = self._counts(handler) and inspect.isfunction(handler.original.bare)

        def found(side: Side, switcher: Any, original: Any, made: Any) -> Any:
            kept = switcher._methods[handler.name]
            gets = [kept._wrapped, *([switcher[handler.name]] if VIA_GET else [])]
            same = [one is made if itself else one == made for one in gets]
            same += [made is original, original == gets[0], gets[0] == original]
            same += [hash(one) == hash(made) for one in gets]
            return face(gets[0]), same, kept.func is original, kept.name, kept.plugins

        return found

    @invariant()
    def what_ran_is_alike(self) -> None:
        self.both(lambda side: side.module.inner)

    @rule(handler=handlers)
    def copies_come_back(self, handler: Handler) -> None:
        for copied in (
            lambda side, one: side.pickled(one),
            lambda side, one: copy.deepcopy(one),
            lambda side, one: copy.copy(one),
        ):
            watched, bare = self.both(
                lambda side, made, one, copied=copied: (copied(side, made) == one, face(one)),
                handler.made,
                handler.original,
                alike=False,
            )
            # A bound method of an instance refers to a switcher, which cannot be copied.
            assert bare.error is not None or watched.seen == bare.seen


class CollectedSuite(Suite):
    """The same operations, with explicitly plugged collectors too."""

    collects = True


RUNS = settings(max_examples=40 * SOAK, stateful_step_count=30, derandomize=True)


def test_a_bare_copy_is_separate():
    assert BARE.Switcher is not smartswitch.Switcher
    assert not hasattr(BARE.Switcher._decorate, "__wrapped__")
    assert BARE.core._activation_ctx is not smartswitch.core._activation_ctx
    assert sys.modules["smartswitch"] is smartswitch
    assert sys.modules["smartswitch.core"].Switcher is smartswitch.Switcher


def test_a_watched_suite_sees_the_same_as_a_bare_one():
    run_state_machine_as_test(Suite, settings=RUNS)


def test_a_suite_with_its_own_collectors_sees_the_same_as_a_bare_one():
    run_state_machine_as_test(CollectedSuite, settings=RUNS)


def test_a_switcher_below_itself_takes_handlers():
    upper = smartswitch.Switcher("upper")
    lower = smartswitch.Switcher("lower", parent=upper)
    lower.add_child(upper)
    with collecting() as log:

        @upper
        def show():
            return "shown"

        lower.plug("collect")
        lower(show)
        assert dispatch(lower, "upper.show")() == "shown"
    assert [entry["result"] for entry in log.history()] == ["shown"]


def test_a_callable_object_that_was_dispatched_shows_its_parameters():
    class Add:
        __name__ = "add"

        def __call__(self, value, by=1):
            return value + by

    sw = smartswitch.Switcher("api")
    sw(Add())
    with collecting():
        held = sw._methods["add"]._wrapped
        assert str(inspect.signature(held)) == "(value, by=1)"
        assert not inspect.isroutine(held)
        assert held(1) == 2


def test_a_class_that_was_dispatched_lists_its_attributes():
    class Order:
        unit = "s"

    sw = smartswitch.Switcher("api")
    sw(Order)
    with collecting():
        assert dir(sw._methods["Order"]._wrapped) == dir(Order)


@needs_get
def test_entries_that_are_not_callable_are_left_alone():
    method = classmethod(lambda cls: None)
    with collecting():
        sw = smartswitch.Switcher("api")
        sw("method")(method)
        assert sw._methods["method"]._wrapped is method
