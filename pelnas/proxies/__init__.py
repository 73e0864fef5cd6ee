"""Zero-cost proxies: how good an untrained network looks, from one batch of images.

``pelnas.proxies.table.PROXIES`` is the table, ``pelnas.proxies.engine.score_network``
computes any of them in shared passes. This module stays light: torch is
imported by those two only.
"""

GROUP = "pelnas.proxies"  # of entry points by which other packages name their proxies

#: Raised whenever a value of any proxy changes, so that cached values are not mixed.
VERSION = 1

#: Value of a proxy without a natural zero where no signal flows; below every real value.
FLOOR = -1e8
