"""Profiles: summaries of recorded calls that can be saved, merged, compared and judged.

This package needs neither pytest nor smartswitch.

Example:
    >>> from smartcollect.profiles import Profile, compare, merge
    >>> compare(Profile(), merge([Profile(), Profile()])).changes
    ()
"""

from ..storage.fields import LIMITED as LIMITED
from ..storage.fields import STATISTICS as STATISTICS
from ..storage.findings import Edge as Edge
from ..storage.findings import Raised as Raised
from ..storage.findings import Repeat as Repeat
from .budgets import Budget as Budget
from .budgets import budget as budget
from .budgets import parse_budget as parse_budget
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .drift import Drift as Drift
from .files import load as load
from .files import load_runs as load_runs
from .growth import Change as Change
from .merge import merge as merge
from .parts import Phase as Phase
from .parts import Run as Run
from .parts import SlowCall as SlowCall
from .parts import Usage as Usage
from .parts import Waiting as Waiting
from .profile import Profile as Profile
from .revision import Revision as Revision
from .rules import Rule as Rule
from .rules import parse_rule as parse_rule
from .schema import schema as schema
from .significance import slower as slower
from .trend import Step as Step
from .trend import Trend as Trend
from .verdict import Expectations as Expectations
from .verdict import Verdict as Verdict
from .verdict import judge as judge
