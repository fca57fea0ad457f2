"""Where calls go as they are made: sinks, and the subscriptions that feed them."""
