"""Runs boot images under QEMU with SeaBIOS and under Stepvisor, and compares what they leave.

`qemu` and `stepvisor` make an `Outcome` each, of `outcome`; `difference` compares two of them. `qmp`,
`keys` and `pictures` serve these. Used by `scripts/compare-bios` and `scripts/compare-pictures`.
"""
