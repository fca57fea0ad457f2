"""Functions of every form, for `test_functions`; each is called by the function of its name there.

Nothing here knows that it is watched.
"""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum
from os.path import basename  # noqa: F401 - imported functions are not watched
from typing import NamedTuple, Protocol

from watched_mixin import Mixin


def without_wraps(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def with_wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Decorator:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)


def plain(value):
    return value


def outer(value):
    def inner():
        return value

    return inner()


@without_wraps
def decorated_without_wraps(value):
    return value


@with_wraps
def decorated(value):
    return value


@with_wraps
@without_wraps
@with_wraps
def decorated_often(value):
    return value


@Decorator
def decorated_by_an_object(value):
    return value


@functools.lru_cache
def cached(value):
    return value


@functools.singledispatch
def shown(value):
    return "anything"


@shown.register
def _(value: int):
    return "a number"


@shown.register(str)
def shown_text(value):
    return "text"


@shown.register(list)
def _(value):
    return "a list"


@contextmanager
def managed():
    yield 1


@asynccontextmanager
async def managed_later():
    yield 1


async def coroutine(value):
    return value


def generator(count):
    yield from range(count)


async def async_generator(count):
    for number in range(count):
        yield number


doubled = lambda value: 2 * value  # noqa: E731


def adder(number):
    def add(value):
        return value + number

    return add


add_5, add_6 = adder(5), adder(6)
another_name = plain
part = functools.partial(plain, 1)
exec("def executed(value): return value")


class Meta(type):
    def made(cls):
        return cls


class Base:
    def inherited(self):
        return 1

    def overridden(self):
        return 1


class Order(Mixin, Base, metaclass=Meta):
    def __init__(self, number=1):
        self.number = number

    def __call__(self):
        return self.__hidden()

    def __hidden(self):
        return 1

    def __eq__(self, other):
        return True

    __hash__ = None

    def overridden(self):
        return super().overridden() + 1

    @staticmethod
    def static(value):
        return value

    @classmethod
    def of_class(cls):
        return cls

    @with_wraps
    def method_decorated(self):
        return self

    @property
    def total(self):
        return self.number

    @total.setter
    def total(self, value):
        self.number = value

    @total.deleter
    def total(self):
        del self.number

    @functools.cached_property
    def worked_out(self):
        return 1

    @functools.lru_cache  # noqa: B019
    def method_cached(self):
        return 1

    @functools.singledispatchmethod
    def accept(self, value):
        return "anything"

    @accept.register
    def _(self, value: int):
        return "a number"

    by_part = functools.partialmethod(overridden)

    class Line:
        def cost(self):
            return 1


class Priced(Protocol):
    def price(self): ...


class Thing(Priced):
    def price(self):
        return 1


@dataclass
class Point:
    x: int

    def norm(self):
        return self.x


class Pair(NamedTuple):
    left: int

    def swapped(self):
        return self.left


class Color(Enum):
    RED = 1

    def mixed(self):
        return self.value


class Slotted:
    __slots__ = ("value",)

    def get(self):
        return 1
