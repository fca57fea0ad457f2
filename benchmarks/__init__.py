"""What collection costs, as ratios of what is measured side by side in one run."""
