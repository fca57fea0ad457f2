"""Functions of every form can be watched by patterns."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import pickle
import subprocess
import sys
import textwrap
import threading
import types
import weakref
from importlib.machinery import ModuleSpec, SourceFileLoader
from unittest import mock

import pytest
import watched_forms as forms
from smartswitch import Switcher
from support import dispatch

from smartcollect import CallLog, HandlerName, collecting
from smartcollect.sources.known_packages import KNOWN
from smartcollect.sources.patterns import parse, parse_all, takes


def consume(iterator):
    return list(iterator)


async def consume_later(iterator):
    return [one async for one in iterator]


def with_managed():
    with forms.managed() as value:
        return value


async def with_managed_later():
    async with forms.managed_later() as value:
        return value


def order():
    made = forms.Order.__new__(forms.Order)
    made.number = 1
    return made


def delete_total(one):
    del one.total


FORMS = [
    # A call, and the functions that it calls.
    (lambda: forms.plain(1), {"plain": 1}),
    (lambda: forms.another_name(1), {"plain": 1}),
    (lambda: forms.part(), {"plain": 1}),
    (lambda: forms.outer(1), {"outer": 1}),
    (lambda: forms.decorated_without_wraps(1), {"decorated_without_wraps": 1}),
    (lambda: forms.decorated(1), {"decorated": 1}),
    (lambda: forms.decorated_often(1), {"decorated_often": 1}),
    (
        lambda: forms.decorated_by_an_object(1),
        {"decorated_by_an_object": 1, "Decorator.__call__": 1},
    ),
    (lambda: [forms.cached(object()), forms.cached(2), forms.cached(2)], {"cached": 2}),
    (lambda: forms.shown(1.0), {"shown": 1}),
    (lambda: forms.shown(1), {"shown.int": 1}),
    (lambda: forms.shown("a"), {"shown_text": 1}),
    (lambda: forms.shown([]), {"shown.list": 1}),
    (with_managed, {"managed": 1}),
    (lambda: asyncio.run(with_managed_later()), {"managed_later": 1}),
    (lambda: asyncio.run(forms.coroutine(1)), {"coroutine": 1}),
    (lambda: consume(forms.generator(3)), {"generator": 1}),
    (lambda: asyncio.run(consume_later(forms.async_generator(3))), {"async_generator": 1}),
    (lambda: forms.doubled(2), {"doubled": 1}),
    (lambda: [forms.add_5(1), forms.add_6(1), forms.add_6(1)], {"add_5": 1, "add_6": 2}),
    (lambda: forms.adder(7)(1), {"adder": 1}),
    (lambda: forms.executed(1), {"executed": 1}),
    (lambda: forms.Order(), {"Order.__init__": 1}),
    (lambda: order()(), {"Order.__call__": 1, "Order.__hidden": 1}),
    (lambda: order() == 1, {}),
    (lambda: order().overridden(), {"Order.overridden": 1, "Base.overridden": 1}),
    (lambda: order().by_part(), {"Order.overridden": 1, "Base.overridden": 1}),
    (lambda: order().inherited(), {"Base.inherited": 1}),
    (lambda: order().mixed_in(), {}),
    (lambda: forms.Order.made(), {"Meta.made": 1}),
    (lambda: order().static(1), {"Order.static": 1}),
    (lambda: order().of_class(), {"Order.of_class": 1}),
    (lambda: order().method_decorated(), {"Order.method_decorated": 1}),
    (lambda: order().total, {"Order.total": 1}),
    (lambda: setattr(order(), "total", 2), {"Order.total.setter": 1}),
    (lambda: delete_total(order()), {"Order.total.deleter": 1}),
    (lambda: [(one := order()).worked_out, one.worked_out], {"Order.worked_out": 1}),
    (lambda: order().accept("a"), {"Order.accept": 1}),
    (lambda: order().accept(1), {"Order.accept.int": 1}),
    (lambda: forms.Order.Line().cost(), {"Order.Line.cost": 1}),
    (lambda: forms.Thing().price(), {"Thing.price": 1}),
    (lambda: forms.Point(1).norm(), {"Point.norm": 1}),
    (lambda: forms.Pair(1).swapped(), {"Pair.swapped": 1}),
    (lambda: forms.Color.RED.mixed(), {"Color.mixed": 1}),
    (lambda: forms.Slotted().get(), {"Slotted.get": 1}),
    (lambda: forms.basename("a"), {}),
]


def called(log):
    return {name: one["calls"] for name, one in log.stats().items()}


@pytest.mark.parametrize(("call", "expected"), FORMS)
def test_a_form(call, expected):
    with collecting("watched_forms") as log:
        call()
    assert called(log) == expected
    call()
    assert called(log) == expected


def test_definitions_of_a_module():
    with collecting("watched_forms") as log:
        known = set(log.uncalled())
    expected = {name for _, names in FORMS for name in names}
    assert known - expected == {
        *("with_wraps", "without_wraps", "Decorator.__init__", "Priced.price"),
        "Order.method_cached",
    }
    assert expected - known == set()


def test_a_patch_counts_if_it_matches(monkeypatch):
    with collecting("watched_forms") as log:
        monkeypatch.setattr(forms, "plain", lambda value: 2)
        assert forms.plain(1) == 2
        assert called(log) == {}
        monkeypatch.setattr(forms, "plain", forms.decorated)
        forms.plain(1)
        assert called(log) == {"decorated": 1}
        with mock.patch.object(forms, "plain", autospec=True) as plain:
            forms.plain(1)
        plain.assert_called_once_with(1)
    assert called(log) == {"decorated": 1}


def test_watching_is_invisible():
    before = {name: pickle.dumps(value) for name, value in [("plain", forms.plain)]}
    text, signature = inspect.getsource(forms.plain), inspect.signature(forms.Order.static)
    with collecting("watched_forms"):
        assert pickle.dumps(forms.plain) == before["plain"]
        assert inspect.getsource(forms.plain) == text
        assert inspect.signature(forms.Order.static) == signature
    assert sys.meta_path[0].__class__.__module__ != "smartcollect.sources.imports"


# -- patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        (["shop"], ["shop:a", "shop.sub:a", "shop:Order.total", "shop:Order.__init__", "shop:_a"]),
        (["shop:Order"], ["shop:Order", "shop:Order.total", "shop.sub:Order.x.y"]),
        (["shop:Order.*"], ["shop:Order.total", "shop:Order.Line.cost"]),
        (["shop.*:Order.*"], ["shop.sub:Order.total"]),
        (["sho?"], ["shop:a"]),
        (["shop:*.__eq__"], ["shop:Order.__eq__"]),
        (["shop:Order.__eq__"], ["shop:Order.__eq__"]),
        (["shop", "!shop:_*", "shop:_b"], ["shop:a", "shop:_b"]),
        (["shop", "!shop.sub"], ["shop:a"]),
        (["shop:[!_]*"], ["shop:a"]),
    ],
)
def test_functions_that_patterns_take(patterns, taken):
    parsed = parse_all(patterns)
    assert all(takes(parsed, *one.split(":")) for one in taken)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["shop"], ["shopping:a", "my.shop:a", "shop:Order.__eq__", "shop:__getattr__"]),
        (["shop:Order"], ["shop:Orders", "shop:a", "shop:Order.__repr__"]),
        (["shop.*"], ["shop:a"]),
        (["sho?"], ["shop.sub:a"]),
        (["shop", "!shop:_*"], ["shop:_a", "shop.sub:_a"]),
        (["shop", "!shop.sub"], ["shop.sub:a", "shop.sub.sub:a"]),
        ([], ["shop:a"]),
    ],
)
def test_functions_that_patterns_do_not_take(patterns, left):
    parsed = parse_all(patterns)
    assert not any(takes(parsed, *one.split(":")) for one in left)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is not a pattern of functions; write a module"),
        ("!", "'!' is not a pattern"),
        ("shop:", "'shop:' is not a pattern"),
        (":total", "':total' is not a pattern"),
        ("shop/api.py", "'shop/api.py' is not a pattern"),
        ("shop api", "'shop api' is not a pattern"),
        ("a:b:c", "'a:b:c' is not a pattern"),
        ("*", r"'\*' would watch functions of Python"),
        ("*.*:Order", "would watch functions of Python"),
        ("!*", "would watch functions of Python"),
        ("[a-z]*", "would watch functions of Python"),
        ("shop.", "'shop.' is not a pattern"),
        ("shop..api", "'shop..api' is not a pattern"),
    ],
)
def test_bad_patterns(text, why):
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_an_exclusion_without_an_earlier_pattern():
    with pytest.raises(ValueError, match="'!textwrap' comes first"), collecting("!textwrap"):
        pass


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("no_such_module", "there is no package named 'no_such_module'"),
        ("no_such_module.x:y", "there is no package named 'no_such_module'"),
        ("textwrap.dedent", r"did you mean 'textwrap:dedent'\?"),
        ("email.no_such_module", "'email.no_such_module' matches no imported module"),
        ("textwrap:dedant", "'textwrap:dedant' matches no function"),
        ("math", "'math' matches only functions without Python code: math:acos"),
        ("smartcollect.log", "'smartcollect.log' is part of smartcollect"),
        ("@nothing", "unknown name '@nothing'; choose from @django, @httpx, @redis"),
        ("@sqlite3", "@sqlite3 cannot be watched: its functions are C code"),
    ],
)
def test_a_pattern_that_can_never_match(pattern, why):
    log = CallLog()
    with pytest.raises(ValueError, match=why):
        log.attach(pattern)
    with pytest.raises(ValueError, match="is not attached"):
        log.detach(pattern)


def test_a_package_that_is_not_installed(monkeypatch):
    known = KNOWN["redis"]._replace(package="no_such_module")
    monkeypatch.setitem(KNOWN, "redis", known)
    with pytest.raises(ValueError, match="@redis needs no_such_module, which is not installed"):
        CallLog().attach("@redis")


# -- attach and detach ----------------------------------------------------------------------------


def test_attaching_and_detaching_patterns():
    log = CallLog()
    log.attach("watched_forms:plain")
    log.attach("watched_forms:plain")
    forms.plain(1)
    log.attach("watched_forms:doubled")
    forms.plain(1)
    forms.doubled(1)
    log.detach("watched_forms:plain")
    forms.plain(1)
    forms.doubled(1)
    log.attach("!watched_forms:doubled")
    forms.doubled(1)
    log.detach("!watched_forms:doubled")
    forms.doubled(1)
    log.detach("watched_forms:doubled")
    forms.doubled(1)
    assert called(log) == {"plain": 2, "doubled": 3}
    log.attach("watched_forms:plain")
    log.attach("!watched_forms:plain")
    log.attach("watched_forms:doubled")
    log.detach("watched_forms:plain")  # also drops the exclusion that narrows it
    forms.plain(1)
    forms.doubled(1)
    log.detach("watched_forms:doubled")
    assert called(log) == {"plain": 2, "doubled": 4}
    with pytest.raises(ValueError, match="'watched_forms:doubled' is not attached"):
        log.detach("watched_forms:doubled")


def test_several_logs_and_a_switcher(shop):
    api = Switcher("api")
    api(shop.other)
    with collecting("shop") as one, collecting("shop:plain", api) as two:
        shop.plain(1)
        dispatch(api, "other")(1)
    assert called(one) == {"plain": 1, "other": 1}
    assert called(two) == {"plain": 1, "other": 1}


@pytest.fixture
def shop(monkeypatch):
    """A new module for each test, because smartswitch leaves attributes on handlers."""
    module = types.ModuleType("shop")
    exec("def plain(value): ...\ndef other(value): ...", vars(module))
    monkeypatch.setitem(sys.modules, "shop", module)
    return module


@pytest.mark.parametrize("handler_first", [True, False])
def test_a_function_that_is_a_handler_counts_once_under_that_name(shop, handler_first):
    api = Switcher("api")
    if handler_first:
        api("work")(shop.plain)
    with collecting("shop", api) as log:
        if not handler_first:
            api("work")(shop.plain)
        shop.plain(1)
        dispatch(api, "work")(1)
        assert log.uncalled() == ["other"]
    assert called(log) == {"work": 2}


def test_a_deleted_log_stops_watching():
    log = CallLog()
    log.attach("watched_forms:plain")
    store = weakref.ref(log.recorder.store)
    del log
    gc.collect()
    assert store() is None
    assert sys.meta_path[0].__class__.__module__ != "smartcollect.sources.imports"


def test_names():
    with collecting("watched_forms", max_history=0) as log:
        forms.Order.Line().cost()
    (name,) = log.profile().called()
    assert name == HandlerName("watched_forms", "Order.Line.cost")
    for text in ("Order.Line.cost", "watched_forms.Order.Line.cost", name.path):
        assert log.stats(text)["calls"] == 1
    log.assert_budget("watched_forms:*", calls=1)
    log.assert_called("watched_forms:Order.Line.cost", times=1)


def test_arguments_are_shown_as_bound():
    with collecting("watched_forms", objects="type") as log:
        one = order()
        one.total = 5
        forms.plain(value=[1])
    assert [call["args"] for call in log.history()] == [("<Order>", 5), ([1],)]


def test_threads():
    with collecting("watched_forms:plain", max_history=0) as log:
        threads = [threading.Thread(target=forms.plain, args=(1,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert called(log) == {"plain": 20}


# -- modules --------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes modules of a package ``blog``, which is forgotten at the end."""

    def write(**files):
        folder = tmp_path / "blog"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "blog"]:
        del sys.modules[name]


FUNCTION = """
    def load(number):
        return number
"""


def test_a_module_that_is_imported_later(package):
    package(__init__="", posts=FUNCTION)
    with collecting("blog") as log:
        from blog.posts import load

        load(1)
        module = sys.modules["blog.posts"]
        assert type(module.__loader__) is SourceFileLoader
        assert type(module.__spec__) is ModuleSpec
        assert "exec_module" not in vars(module.__loader__)
    assert called(log) == {"load": 1}


def test_a_class_whose_module_is_the_package(package):
    package(
        __init__="from blog._posts import Post",
        _posts="""
            class Post:
                def shown(self): ...

            Post.__module__ = "blog"
        """,
    )
    with collecting("blog._posts:Post") as log:
        import blog

        blog.Post().shown()
    assert called(log) == {"Post.shown": 1}


def test_a_namespace_package(package):
    package(posts=FUNCTION)
    with collecting("blog") as log:
        from blog import posts

        posts.load(1)
    assert called(log) == {"load": 1}


def test_a_module_that_is_reloaded(package):
    package(__init__="", posts=FUNCTION)
    from blog import posts

    with collecting("blog") as log:
        posts.load(1)
        importlib.reload(posts)
        posts.load(1)
        del sys.modules["blog.posts"]
        again = importlib.import_module("blog.posts")
        again.load(1)
    assert called(log) == {"load": 3}


def test_a_module_that_fails_to_import(package):
    package(__init__="", broken="def load(): ...\nraise RuntimeError('broken')")
    with collecting("blog") as log:
        with pytest.raises(RuntimeError, match="broken") as caught:
            importlib.import_module("blog.broken")
        assert not [one for one in caught.traceback if "smartcollect" in str(one.path)]
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("blog.nothing")
    assert called(log) == {}


def test_a_module_whose_getattr_raises(package, monkeypatch):
    package(
        __init__="",
        lazy="""
            def __getattr__(name):
                raise RuntimeError(name)

            def load(): ...
        """,
    )
    from blog import lazy

    class Strange(types.ModuleType):
        def __getattribute__(self, name):
            raise RuntimeError(name)

    monkeypatch.setitem(sys.modules, "blog.strange", Strange("blog.strange"))
    monkeypatch.setitem(sys.modules, "blog.nothing", None)
    with collecting("blog") as log:
        lazy.load()
    assert called(log) == {"load": 1}


def test_a_module_created_by_hand(monkeypatch):
    module = types.ModuleType("by_hand")
    exec(textwrap.dedent(FUNCTION), vars(module))
    monkeypatch.setitem(sys.modules, "by_hand", module)
    with collecting("by_hand") as log:
        module.load(1)
    assert called(log) == {"load": 1}


def test_attrs_with_slots(package):
    pytest.importorskip("attrs")
    package(
        __init__="",
        models="""
            import attrs

            @attrs.define
            class Post:
                title: str
                words: list = attrs.field(factory=lambda: [])

                def __attrs_post_init__(self): ...

                @property
                def shown(self):
                    return self.title

                def super_of(self):
                    return __class__
        """,
    )
    with collecting("blog") as log:
        from blog.models import Post

        post = Post("a")
        assert post.shown == "a"
        assert post.super_of() is Post
    # Neither the ``__init__`` that attrs generated, nor special methods that no pattern names.
    assert called(log) == {"Post.shown": 1, "Post.super_of": 1}


def test_the_main_module(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "from smartcollect import collecting\n"
        "def work(): ...\n"
        "with collecting('__main__') as log:\n"
        "    work()\n"
        "print(log.stats('__main__:work')['calls'])\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_a_finder_that_asks_other_finders(package, monkeypatch):
    class Asking:
        def find_spec(self, name, path=None, target=None):
            for finder in sys.meta_path:
                if finder is not self and (spec := finder.find_spec(name, path, target)):
                    return spec
            return None

    package(__init__="", posts=FUNCTION)
    asking = Asking()
    monkeypatch.setattr(sys, "meta_path", [asking, *sys.meta_path])
    with collecting("blog") as log:
        sys.meta_path.remove(asking)
        sys.meta_path.insert(0, asking)
        posts = importlib.import_module("blog.posts")
        posts.load(1)
    assert called(log) == {"load": 1}


def test_a_loader_that_is_a_class():
    import genericpath

    before = set(vars(genericpath.__loader__))
    with collecting("genericpath") as log:
        importlib.reload(genericpath)
        genericpath.exists(".")
    assert set(vars(genericpath.__loader__)) == before
    assert set(called(log)) <= {"exists"}


def test_looking_up_a_spec_without_importing(package):
    package(__init__="", posts=FUNCTION)
    with collecting("blog"):
        assert type(importlib.util.find_spec("blog.posts")) is ModuleSpec


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a stand-in holds what it stands in for")
def test_a_deleted_module(package):
    package(__init__="", posts=FUNCTION)
    with collecting("blog") as log:
        gone = []
        for _ in range(5):
            posts = importlib.import_module("blog.posts")
            posts.load(1)
            gone.append(weakref.ref(posts.load))
            del sys.modules["blog.posts"], sys.modules["blog"].posts, posts
            gc.collect()
        assert [one() for one in gone] == [None] * 5
    assert called(log) == {"load": 5}


def test_a_module_that_runs_when_it_is_attached(package):
    package(
        __init__="""
            from smartcollect import CallLog
            log = CallLog()
            log.attach(__name__)

            def late(): ...
        """
    )
    import blog

    blog.late()
    assert called(blog.log) == {"late": 1}
    blog.log.detach("blog")


def test_an_alias_of_a_module():
    with collecting("os", "posixpath", "ntpath") as log:
        import os

        os.path.join("a", "b")
    assert {name.switcher for name in log.profile().called()} == {os.path.__name__}


DECORATED = """
    import functools

    def deco(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper

    class Command:
        def __init__(self, callback):
            self.callback = callback
        def __call__(self, *args):
            return self.callback(*args)

    class Slot:
        __slots__ = ("function",)
        def __init__(self, function):
            self.function = function
        def __call__(self, *args):
            return self.function(*args)

    def task(function):
        kind = type(function.__name__, (), {"run": staticmethod(function)})
        return kind()

    class Hybrid:
        def __init__(self, fget, fset=None):
            self.fget, self.fset = fget, fset
        def __get__(self, instance, owner):
            return self.fget(instance)
        def __set__(self, instance, value):
            self.fset(instance, value)
        def setter(self, fset):
            return Hybrid(self.fget, fset)

    def typed(kind):
        names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        return type(kind.__name__, (kind,), names)

    @functools.lru_cache
    @deco
    def cached(x): ...

    @Command
    @deco
    def command(x): ...

    @Command
    @functools.lru_cache
    def command_cached(x): ...

    @Slot
    def slotted(x): ...

    @task
    def job(x): ...

    @typed
    class Typed:
        def m(self): ...

    class Order:
        @Hybrid
        def total(self): ...
        @total.setter
        def total(self, value): ...

    class A:
        def m(self): ...

    Old = A

    class A:
        def m(self): ...
"""


def test_decorators_of_many_kinds(package):
    package(__init__="", forms=DECORATED)
    with collecting("blog", "!blog:Command", "!blog:Slot", "!blog:Hybrid") as log:
        from blog import forms

        forms.cached(1)
        forms.command(1)
        forms.command_cached(1)
        forms.slotted(1)
        forms.job.run(1)
        forms.Typed().m()
        forms.Order().total = forms.Order().total
        forms.Old().m()
        forms.A().m()
        forms.A().m()
    names = ("cached", "command", "command_cached", "slotted", "job", "Typed.m")
    assert called(log) == {
        **dict.fromkeys(names, 1),
        "Order.total": 1,
        "Order.total.setter": 1,
        "Old.m": 1,
        "A.m": 2,
    }


def test_a_module_that_replaces_itself(package):
    package(
        __init__="",
        posts="""
            import sys
            import types

            def load(): ...

            facade = types.ModuleType(__name__)
            facade.load = load
            sys.modules[__name__] = facade
        """,
    )
    with collecting("blog") as log:
        from blog import posts

        posts.load()
    assert called(log) == {"load": 1}


def test_a_log_that_is_open_at_exit():
    text = "from smartcollect import collecting\nlog = collecting('textwrap')\nlog.__enter__()"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stderr == ""
