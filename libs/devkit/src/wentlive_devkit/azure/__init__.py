"""Azure's Resource Manager and registry as far as Wentlive uses them, on this machine, with all their traps."""
