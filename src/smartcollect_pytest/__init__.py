"""The pytest plugin of smartcollect: profiles a suite's handlers and asserts on their calls."""
