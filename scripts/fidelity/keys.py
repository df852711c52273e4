"""The language of `stepvisor --keys` for QEMU: `hi{Enter}`, `{Ctrl+C}`, `{+Shift}`; see docs/devices.md."""

NAMES = {
    **{name: name for name in ["esc", "tab", "home", "end", "up", "down", "left", "right", "insert", "delete"]},
    **{f"f{number}": f"f{number}" for number in range(1, 13)},
    **{f"kp{digit}": f"kp_{digit}" for digit in range(10)},
    **{"escape": "esc", "enter": "ret", "return": "ret", "space": "spc", "backspace": "backspace"},
    **{"capslock": "caps_lock", "numlock": "num_lock", "scrolllock": "scroll_lock", "pause": "pause"},
    **{"pageup": "pgup", "pgup": "pgup", "pagedown": "pgdn", "pgdn": "pgdn", "ins": "insert", "del": "delete"},
    **{"printscreen": "print", "prtsc": "print", "menu": "menu", "102nd": "less"},
    **{"kpdot": "kp_decimal", "kpenter": "kp_enter", "kpplus": "kp_add", "kpminus": "kp_subtract"},
    **{"kpstar": "kp_multiply", "kpslash": "kp_divide"},
    **{"shift": "shift", "rightshift": "shift_r", "ctrl": "ctrl", "control": "ctrl", "rightctrl": "ctrl_r"},
    **{"alt": "alt", "altgr": "alt_r", "rightalt": "alt_r", "win": "meta_l", "rightwin": "meta_r"},
}
PLAIN = {
    **{character: character for character in "abcdefghijklmnopqrstuvwxyz0123456789"},
    **{" ": "spc", "\n": "ret", "\r": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc"},
    **{"`": "grave_accent", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right"},
    **{"\\": "backslash", ";": "semicolon", "'": "apostrophe", ",": "comma", ".": "dot", "/": "slash"},
}
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))
MODIFIERS = {"shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r", "meta_l", "meta_r"}


def parse(text):
    """A list of strokes; each is a list of QEMU's key names and whether they go down."""
    strokes, at = [], 0
    while at < len(text):
        character = text[at]
        if character in "{}" and text[at + 1 : at + 2] == character:
            strokes.append(chord(*character_keys(character)))
            at += 2
        elif character == "{":
            end = text.index("}", at + 2)
            strokes.append(named(text[at + 1 : end]))
            at = end + 1
        else:
            strokes.append(chord(*character_keys(character)))
            at += 1
    return strokes


def named(name):
    if name[0] in "+-" and len(name) > 1:
        return [(key_called(name[1:])[-1], name[0] == "+")]
    *modifiers, last = name.split("+") if not name.endswith("+") else [*name[:-2].split("+"), "+"]
    held = [NAMES[modifier.lower()] for modifier in modifiers if modifier]
    return chord(*held, *(key for key in key_called(last) if key not in held))


def key_called(name):
    if len(name) == 1:
        return character_keys(name.lower())
    try:
        return [NAMES[name.lower()]]
    except KeyError:
        raise SystemExit(f"no key is called {name}") from None


def character_keys(character):
    if character in SHIFTED:
        return ["shift", PLAIN[SHIFTED[character]]]
    if character.isupper():
        return ["shift", PLAIN[character.lower()]]
    try:
        return [PLAIN[character]]
    except KeyError:
        raise SystemExit(f"no key types {character!r}") from None


def chord(*keys):
    return [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]
