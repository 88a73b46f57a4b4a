// TestSupport: fixtures, naive oracles, gradient checks.
