"""``import smartcollect`` does not import smartswitch, but the plugin gets registered with it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.twice

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
NOT_IMPORTED = "assert 'smartswitch' not in sys.modules\n"


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
def test_the_plugin_is_registered_in_any_order_of_imports(imports):
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
def test_reading_profiles_does_not_import_smartswitch(code):
    run(f"{code}\n{NOT_IMPORTED}")


def test_the_import_hook_leaves_no_trace_in_smartswitch():
    run(
        f"""
        import smartcollect, smartswitch, inspect
        {NOT_IMPORTED.replace("not in", "in")}
        plain = type(smartcollect.__loader__)
        assert type(smartswitch.__loader__) is type(smartswitch.__spec__.loader) is plain
        assert "class Switcher" in inspect.getsource(smartswitch.Switcher)
        finders = [type(finder).__module__ for finder in sys.meta_path]
        assert "smartcollect.registration" not in finders
        """
    )


def test_an_incompatible_smartswitch_is_still_imported():
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


def test_an_unknown_public_name():
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
def test_importing_smartcollect_again(again):
    run(f"import importlib, smartcollect\n{again}\nimport smartswitch\n{KNOWN}")


def test_importing_smartswitch_again_after_a_failure(tmp_path):
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
        *("-W", "error", "-W", "ignore:Support for class-based"),  # a warning of smartswitch
    )


def test_running_a_module_of_smartcollect():
    subprocess.run([sys.executable, "-m", "smartcollect.units"], check=True)
