# guest: ../../guests/bin/triple.elf
# ends: triple-fault
# transcript: triple_fault.out
# errors: shown

continue
x/i $pc
info registers eax esp edi eip cs ss ds cs_base gdtr_base gdtr_limit idtr_base idtr_limit cr0 mode
monitor screen
# Going on means the same again.
continue
p/x $eax
