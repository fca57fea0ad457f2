"""``import smartcollect`` imports no smartswitch, and the plugin is known to whoever does."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

KNOWN = "assert 'collect' in smartswitch.Switcher.registered_plugins()\n"
THREAD = """
import threading, smartcollect
thread = threading.Thread(target=__import__, args=["smartswitch"])
thread.start()
thread.join()
import smartswitch
"""
ANEW = """
for name in [name for name in sys.modules if name.partition(".")[0] == "smartcollect"]:
    del sys.modules[name]
import smartcollect
"""
UNKNOWING = "assert 'smartswitch' not in sys.modules\n"


def run(code: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", f"import sys\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "imports",
    [
        "import smartcollect, smartswitch",
        "import smartswitch, smartcollect",
        "import smartcollect, smartswitch.core",
        "from smartcollect import CallLog; import smartswitch",
        "from smartcollect import CollectPlugin; import smartswitch",
        "from smartcollect import collecting, merge; import smartswitch",
        "import smartcollect.log, smartswitch",
        "import smartcollect.sources.switchers, smartswitch",
        "import smartcollect.profiles, smartswitch",
        "import smartcollect; smartcollect.collecting; import smartswitch",
        THREAD,
    ],
)
def test_the_plugin_is_known_whatever_is_imported_first(imports):
    assert run(f"{imports}\n{KNOWN}") == ""


@pytest.mark.parametrize(
    "code",
    [
        "import smartcollect",
        "import smartcollect; dir(smartcollect)",
        "from smartcollect import Profile, merge, HandlerStats, Statistics, SECRET_NAMES",
        "from smartcollect.profiles import compare, judge, load",
        "import importlib.util, smartcollect; importlib.util.find_spec('smartswitch')",
    ],
)
def test_what_reads_profiles_does_not_import_smartswitch(code):
    run(f"{code}\n{UNKNOWING}")


def test_smartswitch_is_imported_as_if_nobody_watched():
    run(
        f"""
        import smartcollect, smartswitch, inspect
        {UNKNOWING.replace("not in", "in")}
        plain = type(smartcollect.__loader__)
        assert type(smartswitch.__loader__) is type(smartswitch.__spec__.loader) is plain
        assert "class Switcher" in inspect.getsource(smartswitch.Switcher)
        finders = [type(finder).__module__ for finder in sys.meta_path]
        assert "smartcollect.registration" not in finders
        """
    )


def test_a_smartswitch_that_cannot_take_the_plugin_is_imported_all_the_same():
    warned = run(
        """
        import smartcollect, types
        class Loader:
            def create_module(self, spec): return types.ModuleType(spec.name)
            def exec_module(self, module): module.Switcher = object
        class Finder:
            def find_spec(self, name, path=None, target=None):
                from importlib.machinery import ModuleSpec
                return ModuleSpec(name, Loader()) if name == "smartswitch" else None
        sys.meta_path.insert(0, Finder())
        import smartswitch
        assert smartswitch.Switcher is object
        from smartcollect.profiles import Profile
        """
    )
    assert "RuntimeWarning: smartcollect could not register its plugin" in warned


def test_an_unknown_name_is_an_attribute_error():
    import smartcollect

    with pytest.raises(AttributeError, match="has no attribute 'speed'"):
        smartcollect.speed  # noqa: B018
    with pytest.raises(ImportError):
        from smartcollect import speed  # noqa: F401


@pytest.mark.parametrize(
    "again",
    [
        "importlib.reload(smartcollect)",
        ANEW,
    ],
    ids=["reloaded", "anew"],
)
def test_smartcollect_may_be_imported_again(again):
    run(f"import importlib, smartcollect\n{again}\nimport smartswitch\n{KNOWN}")


def test_a_smartswitch_that_failed_once_is_followed_when_it_works(tmp_path):
    (tmp_path / "smartswitch.py").write_text("raise ImportError('broken')", "utf-8")
    run(
        f"""
        import smartcollect
        sys.path.insert(0, {str(tmp_path)!r})
        try:
            import smartswitch
        except ImportError as error:
            assert str(error) == "broken"
        del sys.path[0]
        import importlib
        importlib.invalidate_caches()
        import smartswitch
        {KNOWN}
        """,
        *("-W", "error", "-W", "ignore:Support for class-based"),  # smartswitch's own
    )


def test_a_module_of_ours_runs_as_a_program():
    subprocess.run([sys.executable, "-m", "smartcollect.units"], check=True)
