"""The pytest plugin of smartcollect: profiles of test suites, and assertions on calls."""
