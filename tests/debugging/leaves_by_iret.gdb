# guest: leaves_by_iret.asm
# transcript: leaves_by_iret.out

# What the code will "return" to has not called it: `next` stays in front of it, and `bt` ends there.
next
bt
next
next
bt
next
next
bt
next
