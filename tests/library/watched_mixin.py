"""What `watched_forms` inherits from, and nobody watches."""


class Mixin:
    def mixed_in(self):
        return 1
