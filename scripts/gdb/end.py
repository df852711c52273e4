for stepvisor_part in ("server", "unwinder", "conditions", "commands", "prompt"):
    sys.modules["stepvisor." + stepvisor_part].load()
del stepvisor_part, stepvisor_module
