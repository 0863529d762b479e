"""The conformance kit: checks that any plugin, ours or a stranger's, keeps its contract."""
