"""A base class of `watched_forms` that is not watched."""


class Mixin:
    def mixed_in(self):
        return 1
