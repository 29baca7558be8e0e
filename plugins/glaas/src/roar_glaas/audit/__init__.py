"""`glaas verify`: whether a registry still says what it said, from within and from outside."""
