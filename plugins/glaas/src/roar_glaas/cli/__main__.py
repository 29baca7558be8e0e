"""`python -m roar_glaas.cli` is `glaas`."""

from roar_glaas.cli import main

main()
