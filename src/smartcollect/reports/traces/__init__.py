"""What ran when, for viewers of traces."""
