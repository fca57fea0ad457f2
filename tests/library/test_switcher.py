"""Names and trees of switchers: one log sees all handlers, in any order of plugs and children."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import itertools
import pickle
import weakref
from types import FunctionType

import pytest
from smartswitch import BasePlugin, Switcher
from support import dispatch

from smartcollect import CallLog, CollectPlugin, collecting
from smartcollect.sources import smartswitch, switchers


def called(log):
    return [(entry["switcher"], entry["handler"]) for entry in log.history()]


def build(order, how):
    """Build a root with a child in the given order of steps, and call ``users.show``."""
    root, child = Switcher("root"), Switcher("users")
    steps = {
        "plug": lambda: root.plug(
            {"instance": CollectPlugin(), "class": CollectPlugin, "name": "collect"}[how]
        ),
        "child": lambda: root.add_child(child),
        "handler": lambda: child(show),
    }

    def show():
        return "shown"

    for step in order:
        steps[step]()
    return root, child


@pytest.mark.parametrize("how", ["instance", "class", "name"])
@pytest.mark.parametrize("order", list(itertools.permutations(["plug", "child", "handler"])))
def test_one_log_for_the_tree_in_any_order(order, how):
    root, child = build(order, how)
    assert root.collect.uncalled() == ["users.show"]
    assert dispatch(root, "users.show")() == "shown"
    assert dispatch(child, "show")() == "shown"
    assert called(root.collect) == [("root", "users.show")] * 2
    assert root.collect.uncalled() == []


def test_a_childs_copy_answers_for_the_whole_log():
    root = Switcher("root").plug("collect", max_history=7)
    child = Switcher("users", parent=root)

    @child
    def show(): ...

    @root
    def index(): ...

    show()
    index()
    assert child.collect.history() == root.collect.history()
    assert child.collect.to_dict() == root.collect.to_dict()
    assert child.collect is not root.collect


def test_two_children_with_handlers_of_the_same_name():
    root = Switcher("root").plug("collect")
    for name in ("users", "orders"):
        child = Switcher(name, parent=root)

        @child
        def list(): ...

        list()
    assert called(root.collect) == [("root", "users.list"), ("root", "orders.list")]


def test_grandchildren():
    root = Switcher("root").plug("collect")
    middle = Switcher("admin", parent=root)
    leaf = Switcher("users", parent=middle)

    @leaf
    def show(): ...

    show()
    assert called(root.collect) == [("root", "admin.users.show")]


def test_a_child_under_another_name():
    root = Switcher("root").plug("collect")
    child = Switcher("users")
    root.add_child(child, name="people")

    @child("list")
    def handler(): ...

    handler()
    assert called(root.collect) == [("root", "people.list")]


def test_a_child_with_its_own_collector():
    root = Switcher("root").plug("collect")
    child = Switcher("users", parent=root).plug("collect")
    leaf = Switcher("admins", parent=child)

    @child
    def show(): ...

    @leaf
    def list(): ...

    show()
    list()
    assert root.collect.history() == []
    assert called(child.collect) == [("users", "show"), ("users", "admins.list")]


def test_a_child_gets_its_own_collector_later():
    root = Switcher("root").plug("collect")
    child = Switcher("users", parent=root)
    leaf = Switcher("admins", parent=child)
    child.plug("collect")

    @leaf
    def list(): ...

    list()
    assert root.collect.history() == []
    assert called(child.collect) == [("users", "admins.list")]


def test_a_child_that_inherits_no_plugins():
    root = Switcher("root").plug("collect")
    child = Switcher("users", parent=root, inherit_plugins=False)

    @child
    def show(): ...

    show()
    assert root.collect.history() == []
    root.collect.attach(root)
    dispatch(root, "users.show")()
    assert called(root.collect) == [("root", "users.show")]


def test_a_child_with_another_plugin_is_still_watched():
    root = Switcher("root").plug("collect")
    child = Switcher("users", parent=root)
    child.plug(BasePlugin())

    @child
    def show(): ...

    show()
    assert called(root.collect) == [("root", "users.show")]


@pytest.mark.parametrize("method", ["use_parent_plugins", "copy_plugins_from_parent"])
@pytest.mark.parametrize("inherits", [True, False])
def test_plugins_copied_from_the_parent_again(method, inherits):
    root = Switcher("root").plug("collect")
    child = Switcher("users", parent=root, inherit_plugins=inherits)
    getattr(child, method)()

    @child
    def show(): ...

    show()
    assert called(root.collect) == [("root", "users.show")]


@pytest.mark.parametrize("first", ["collect", "logging", "pydantic"])
def test_beside_other_plugins(first, capsys):
    pytest.importorskip("pydantic")
    sw = Switcher("api")
    names = [first, *(name for name in ("collect", "logging", "pydantic") if name != first)]
    for name in names:
        sw.plug(name)

    @sw
    def double(number: int) -> int:
        return 2 * number

    assert dispatch(sw, "double")("21") == 42
    entry = sw.collect.history()[0]
    assert (entry["handler"], entry["result"]) == ("double", 42)


def test_an_unnamed_switcher_is_named_after_the_class_of_its_handlers():
    class Orders:
        api = Switcher().plug("collect")

        @api
        def place(self): ...

    Orders().place()
    assert called(Orders.api.collect) == [("Orders", "place")]


def test_an_unnamed_switcher_is_named_after_the_module_of_its_handlers():
    sw = Switcher().plug("collect")

    @sw
    def place(): ...

    place()
    assert called(sw.collect) == [(__name__, "place")]


def test_an_unnamed_root_is_named_after_handlers_below_and_then_its_own(log):
    root, child = Switcher(), Switcher("child")
    root.add_child(child)

    class Orders:
        @child
        def show(self): ...

    Orders().show()

    class Root:
        @root
        def show(self): ...

    Orders().show()
    assert called(log) == [("Orders", "child.show"), ("Root", "child.show")]


def test_an_unnamed_root_with_handlers_in_a_named_child_only():
    class Api:
        root = Switcher().plug("collect")
        child = Switcher("child", parent=root)

        @child
        def first(self): ...

        @child
        def second(self): ...

    Api().first()
    Api().second()
    assert called(Api.root.collect) == [("Api", "child.first"), ("Api", "child.second")]


def test_switchers_of_instances_share_their_names():
    plugin = CollectPlugin()
    for number in range(3):
        sw = Switcher("shop").plug(plugin)

        @sw
        def order(number):
            return number

        order(number)
    assert plugin.stats("order")["calls"] == 3
    assert called(plugin) == [("shop", "order")] * 3


def test_one_collector_on_two_roots_that_share_a_selector():
    plugin = CollectPlugin()
    for name in ("a", "b"):
        sw = Switcher(name).plug(plugin)

        @sw
        def f(): ...

        @sw(f"only_{name}")
        def g(): ...

        f()
        g()
    assert set(plugin.stats()) == {"a.f", "b.f", "only_a", "only_b"}
    assert len(plugin.history(handler="f")) == 2
    assert len(plugin.history(handler="a.f")) == 1
    with pytest.raises(KeyError, match="'a.f', 'b.f'"):
        plugin.stats("f")


# -- attach and detach ----------------------------------------------------------------------------


def test_attach_watches_registered_handlers_and_detach_leaves_no_trace():
    root, child = Switcher("root"), Switcher("users")

    @child
    def show():
        return 1

    @root
    def index():
        return 2

    root.add_child(child)
    before = [dispatch(root, "index"), dispatch(root, "users.show")] if hasattr(root, "get") else []
    plugin = CollectPlugin()
    plugin.attach(root)
    plugin.attach(root)
    assert dispatch(root, "index")() == 2
    assert dispatch(root, "users.show")() == 1
    assert called(plugin) == [("root", "index"), ("root", "users.show")]
    plugin.detach(root)
    for handler, entry in zip(before, ("index", "users.show"), strict=False):
        assert dispatch(root, entry) is handler
    dispatch(root, "index")()
    assert len(plugin.history()) == 2
    assert not switchers._watches.get(root)


def test_several_collectors_come_and_go_in_any_order():
    for order in itertools.permutations(range(3)):
        sw = Switcher("api")
        calls = []

        @sw
        def work():
            calls.append(1)  # noqa: B023

        original = work
        assert sw._methods["work"]._wrapped is work
        logs = [CollectPlugin() for _ in range(3)]
        for log in logs:
            log.attach(sw)
        dispatch(sw, "work")()
        for position in order:
            logs[position].detach(sw)
            dispatch(sw, "work")()
        assert sw._methods["work"]._wrapped is original
        assert [logs[position].stats("work")["calls"] for position in order] == [1, 2, 3]


def test_handlers_and_children_that_come_after_attach():
    root = Switcher("root")
    with collecting(root) as log:
        child = Switcher("users", parent=root)

        @child
        def show(): ...

        show()
    show()
    assert called(log) == [("root", "users.show")]


def test_attach_and_plug_count_once():
    sw = Switcher("api").plug("collect")

    @sw
    def work(): ...

    sw.collect.attach(sw)
    work()
    dispatch(sw, "work")()
    sw.collect.detach(sw)
    work()
    assert sw.collect.stats("work")["calls"] == 3


def test_attach_before_plug():
    sw = Switcher("api")
    plugin = CollectPlugin()

    @sw
    def work(): ...

    plugin.attach(sw)
    sw.plug(plugin)
    plugin.detach(sw)
    dispatch(sw, "work")()
    assert plugin.stats("work")["calls"] == 1


def test_attach_refuses_other_objects():
    with pytest.raises(TypeError, match="3 cannot be watched; pass a Switcher, or a pattern"):
        CollectPlugin().attach(3)


def test_detach_refuses_a_switcher_that_is_not_attached():
    with pytest.raises(ValueError, match="'api' is not attached"):
        CollectPlugin().detach(Switcher("api"))


def test_collecting_survives_a_detach_inside():
    sw = Switcher("api")
    with collecting(sw) as log:
        log.detach(sw)


def test_collecting_everything_sees_existing_switchers():
    sw = Switcher("early")

    @sw
    def work(): ...

    with collecting() as log:
        dispatch(sw, "work")()
    assert called(log) == [("early", "work")]


def test_nothing_is_kept_alive(log):
    sw = Switcher("short")
    plugin = CollectPlugin()
    sw.plug(plugin)

    class Argument:
        pass

    @sw
    def work(argument): ...

    argument = Argument()
    work(argument)
    dispatch(sw, "work")(argument)
    gone = [weakref.ref(sw), weakref.ref(argument), weakref.ref(work)]
    del sw, argument, work
    gc.collect()
    assert [one() for one in gone] == [None, None, None]
    assert plugin.stats("work")["calls"] == log.stats("work")["calls"] == 2


def test_an_alias_counts_each_call_once(log):
    sw = Switcher("api")

    @sw("second")
    @sw("first")
    def work(): ...

    work()
    dispatch(sw, "first")()
    dispatch(sw, "second")()
    assert [handler for _, handler in called(log)] == ["first", "first", "second"]


# -- a watched handler behaves like the plain one -------------------------------------------------


@pytest.fixture
def instrumented(log):
    """A switcher whose handlers are watched."""
    return Switcher("api")


def module_handler(number: int, *, unit: str = "s") -> int:
    """Documented."""
    return number


async def module_coroutine(number: int) -> int:
    return number


def module_generator(number: int):
    yield number


async def module_async_generator(number: int):
    yield number


@functools.lru_cache
def module_cached(number: int) -> int:
    return number


HANDLERS = [
    module_handler,
    module_coroutine,
    module_generator,
    module_async_generator,
    module_cached,
]


@pytest.mark.parametrize("plain", HANDLERS, ids=lambda handler: handler.__name__)
def test_a_watched_handler_looks_like_the_plain_one(plain):
    sw = Switcher("api")
    before = shown(plain)
    assert sw(plain) is plain
    with collecting(sw) as log:
        assert shown(plain) == before
        if type(plain) is FunctionType:
            assert sw._methods[plain.__name__]._wrapped is plain
        assert pickle.loads(pickle.dumps(sw._methods[plain.__name__]._wrapped)) is plain
        made = sw._methods[plain.__name__]._wrapped(1)
        result = asyncio.run(made) if inspect.iscoroutine(made) else made
        if inspect.isgenerator(result):
            assert list(result) == [1]
    assert log.stats(plain.__name__)["calls"] == (0 if inspect.isasyncgen(result) else 1)
    assert shown(plain) == before
    assert sw._methods[plain.__name__]._wrapped is plain


def shown(function):
    """Return all visible properties of a function, except for attributes of smartswitch."""
    names = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")
    predicates = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
        callable,
    )
    return (
        inspect.signature(function),
        inspect.getsource(function),
        [getattr(function, name) for name in names],
        [predicate(function) for predicate in predicates],
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_functions_with_closures(log, count):
    sw = Switcher("api")
    values = list(range(count))
    source = "\n".join(
        [
            f"def outer({', '.join(f'v{n}' for n in values)}):",
            "    def work(factor=2, *, more=1):",
            f"        return [{''.join(f'v{n} * factor, ' for n in values)}more]",
            "    return work",
        ]
    )
    scope: dict[str, object] = {}
    exec(source, scope)
    work = sw(scope["outer"](*values))
    assert work() == [*(2 * value for value in values), 1]
    assert work(3, more=0) == [*(3 * value for value in values), 0]
    assert log.stats("work")["calls"] == 2


def test_zero_argument_super(log):
    sw = Switcher("api")

    class Base:
        def work(self):
            return 1

    class Child(Base):
        @sw
        def work(self):
            return super().work() + 1

    assert Child().work() == 2
    assert log.stats("work")["calls"] == 1


def test_a_function_outlives_its_switcher(log):
    def work():
        return work

    Switcher("short")(work)
    watched = work.__code__
    del work.__smartswitch_entry__  # smartswitch keeps the switcher alive by it
    gc.collect()
    assert work() is work
    assert work.__code__ is not watched
    assert log.stats() == {}


@pytest.mark.parametrize("kind", ["plain", "coroutine", "generator", "async generator"])
def test_a_destructor_that_calls_a_handler_of_its_object(kind):
    # The collector clears weak references before it runs destructors.
    async def first(values):
        return await anext(aiter(values))

    answer = {
        "plain": lambda result: result,
        "coroutine": asyncio.run,
        "generator": next,
        "async generator": lambda result: asyncio.run(first(result)),
    }[kind]
    answers = []

    class Service:
        def __init__(self):
            self.api = Switcher("api")

            def plain(one, two=2, *, three=3):
                return type(self).__name__, one, two, three

            async def coroutine(one, two=2, *, three=3):
                return type(self).__name__, one, two, three

            def generator(one, two=2, *, three=3):
                yield type(self).__name__, one, two, three

            async def async_generator(one, two=2, *, three=3):
                yield type(self).__name__, one, two, three

            self.api("close")(locals()[kind.replace(" ", "_")])

        def __del__(self):
            answers.append(answer(dispatch(self.api, "close")(1)))

    log = CallLog()
    log.attach(Service().api)
    gc.collect()
    assert answers == [("Service", 1, 2, 3)]


def test_a_recursive_closure_does_not_leak(log):
    def make():
        def work(number):
            return number and work(number - 1)

        Switcher("short")(work)
        assert work(3) == 0
        return weakref.ref(work)

    gone = make()
    gc.collect()
    assert gone() is None


def test_defaults_show_while_a_function_is_watched(log):
    sw = Switcher("api")

    @sw
    def work(value=1):
        return value

    assert work.__defaults__ == (1,)
    assert work() == 1


def test_attributes_are_shared_with_the_plain_handler(instrumented, log):
    instrumented(module_cached)
    handler = instrumented._methods["module_cached"]._wrapped
    handler.cache_clear()
    handler(1)
    handler(1)
    handler.extra = 1
    assert handler.cache_info().hits == 1
    assert module_cached.extra == 1
    del handler.extra
    assert not hasattr(module_cached, "extra")
    assert handler == module_cached
    assert hash(handler) == hash(module_cached)
    assert repr(handler) == repr(module_cached) == str(handler)
    assert log.stats("module_cached")["calls"] == 2


def test_methods_of_each_kind_bind_to_their_instance(instrumented, log):
    class Shop:
        @instrumented
        def plain(self, number):
            return self, number

        @instrumented
        async def late(self, number):
            return self, number

        @staticmethod
        @instrumented
        def inside(number):
            return number

        @instrumented
        @staticmethod
        def outside(number):
            return number

    shop = Shop()
    assert shop.plain(1) == (shop, 1)
    assert Shop.plain(shop, 1) == (shop, 1)
    assert asyncio.run(shop.late(1)) == (shop, 1)
    assert asyncio.run(Shop.late(shop, 1)) == (shop, 1)
    assert shop.inside(1) == Shop.inside(1) == 1
    assert shop.outside(1) == Shop.outside(1) == 1
    assert dispatch(instrumented, "outside")(1) == 1
    assert {name: row["calls"] for name, row in log.stats().items()} == {
        "plain": 2,
        "late": 2,
        "inside": 2,
        "outside": 3,
    }


def test_a_class_stays_itself(instrumented, log):
    @instrumented
    class Order:
        def __init__(self, number):
            self.number = number

    made = dispatch(instrumented, "Order")(3)
    assert isinstance(Order, type)
    assert isinstance(made, Order)
    watched = instrumented._methods["Order"]._wrapped
    assert isinstance(made, watched)
    assert issubclass(Order, watched)

    class Special(watched):
        pass

    assert Special.__mro__[1] is Order
    assert log.stats("Order")["calls"] == 1


def test_an_unwatched_handler_is_untouched():
    sw = Switcher("api")

    @sw
    def work():
        return 1

    before = work.__code__
    with collecting():
        assert work.__code__ is not before
    assert work.__code__ is before
    assert set(vars(work)) == {"__smartswitch_entry__"}


def test_describe_and_plugins_are_unchanged(instrumented):
    sw = Switcher("plain").plug(BasePlugin(name="base"))
    sw(module_handler)
    with collecting():
        assert sw.describe()["methods"] == {
            "module_handler": {"plugins": ["base"], "metadata_keys": []}
        }
        assert [plugin.name for plugin in sw.iter_plugins()] == ["base"]


def test_this_smartswitch_is_known():
    """Fails if a private part of smartswitch that smartcollect uses has changed."""
    assert smartswitch.hooked
    assert smartswitch.switches is not None


def test_an_unknown_smartswitch_gets_one_warning_and_no_hook(monkeypatch):
    monkeypatch.delattr(Switcher, "_decorate")
    monkeypatch.delattr(Switcher, smartswitch._HOOKS)
    with pytest.warns(RuntimeWarning, match="does not know this smartswitch") as warned:
        assert smartswitch._hook() is False
    assert len(warned) == 1


def test_nothing_is_watched_in_an_unknown_smartswitch(monkeypatch):
    monkeypatch.setattr(smartswitch, "hooked", False)
    sw = Switcher("api")

    @sw
    def work(): ...

    code, log = work.__code__, CallLog()
    log.attach(sw)
    with collecting() as everything:
        work()
    assert work.__code__ is code
    log.detach(sw)
    assert log.history() == everything.history() == []


def test_a_plugin_records_even_without_hooks(monkeypatch):
    monkeypatch.setattr(Switcher, smartswitch._HOOKS, [])
    sw = Switcher("api").plug("collect")

    @sw
    def work(): ...

    work()
    assert called(sw.collect) == [("api", "work")]
