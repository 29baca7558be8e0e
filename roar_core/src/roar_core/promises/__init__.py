"""What roar relies on of each kind of plugin, as checks that cost little and need no pytest.

`roar plugins check` runs them on what is installed; the contract kits of `roar_core.testing` hold
the same ones, and more that take a fixture or a while. Like a kit, a promise calls a stranger's
code bare: who runs one on an installed plugin catches what it raises (`roar_core.plugins`).
"""
