"""The cost of recording, as ratios of times measured side by side in the same run."""
