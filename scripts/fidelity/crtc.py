"""What the registers of a CRT controller say of a text screen (IBM, PS/2 Hardware Interface, Video Subsystem)."""


def cursor(crtc, pitch, rows):
    """Row and column of the cursor on a screen of `rows`, each `pitch` characters behind the one before; nothing where
    it is hidden: switched off, of no line because it ends above its start, or elsewhere."""
    off, first, last = crtc[0xA] & 0x20, crtc[0xA] & 0x1F, crtc[0xB] & 0x1F
    if off or first > last or not pitch:
        return None
    place = (crtc[0xE] << 8 | crtc[0xF]) - (crtc[0xC] << 8 | crtc[0xD])
    return [place // pitch, place % pitch] if 0 <= place < rows * pitch else None
