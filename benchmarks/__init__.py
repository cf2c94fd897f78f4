"""How fast, against a bare loop of the same parts in the same run. Reports; never fails a build."""
