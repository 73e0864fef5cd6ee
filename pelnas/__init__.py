"""Hardware-aware neural architecture search by language-model agents (PEL-NAS)."""
