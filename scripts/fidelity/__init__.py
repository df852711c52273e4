"""Runs boot images under QEMU with SeaBIOS and under Stepvisor, and compares what they leave.

`qemu` and `stepvisor` make an `Outcome` each, of `outcome`; `compare` says what differs between two of them. `qmp`,
`keys` and `pictures` serve these. Used by `scripts/compare-bios`, which runs `tests` too, and
`scripts/compare-pictures`.
"""
