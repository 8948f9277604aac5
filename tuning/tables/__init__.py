"""A paper's table beside what was measured: cells, verdicts on claims, its plan and its report."""
