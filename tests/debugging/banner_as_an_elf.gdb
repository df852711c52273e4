# guest: ../../guests/bin/banner.elf
# transcript: banner_as_an_elf.out
# errors: shown

# The same as an ELF, which says itself where it goes.
p $pc
tbreak done
continue
x/4hx 0xb8000
