# guest: keys_at.asm
# keys-at: 200ms: {Shift+z}
# keys-at: 60ms:y
# ends: halt
# screen: y1Z3
