"""Transparency logs as registries keep them (RFC 9162): what both of their sides compute. Pure.

A registry appends, signs and serves; its clients check what they are told. Both import the tree
(`merkle`), what is signed (`statements`), how these are told over HTTP (`told`) and the checks
(`verifying`, `continuing`) from here, so that neither can disagree with the other about a byte.
docs/registry-log.md has the format.
"""
