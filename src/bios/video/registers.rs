//! The VGA's registers, as firmware writes them: through the ports, whose indices move as they do on a PC.

use crate::devices::vga::Vga;

const ATTRIBUTE: u16 = 0x3c0;
const ATTRIBUTE_READ: u16 = 0x3c1;
const MISC_READ: u16 = 0x3cc;
const SEQUENCER: u16 = 0x3c4;
const GRAPHICS: u16 = 0x3ce;
/// Bit 5 of the attribute controller's index: the picture is shown.
pub const SHOW_PICTURE: u8 = 0x20;

fn read(vga: &mut Vga, port: u16) -> u8 {
    vga.port_read(port).unwrap_or(crate::devices::OPEN_BUS)
}

/// The port of the CRT controller's index: 3D4h, or 3B4h with a monochrome monitor.
pub fn crtc_port(vga: &mut Vga) -> u16 {
    if read(vga, MISC_READ) & 1 == 0 { 0x3b4 } else { 0x3d4 }
}

fn get(vga: &mut Vga, port: u16, index: u8) -> u8 {
    vga.port_write(port, index);
    read(vga, port + 1)
}

fn set(vga: &mut Vga, port: u16, index: u8, value: u8) {
    vga.port_write(port, index);
    vga.port_write(port + 1, value);
}

/// Reads a register of the CRT controller.
pub fn crtc(vga: &mut Vga, index: u8) -> u8 {
    let port = crtc_port(vga);
    get(vga, port, index)
}

/// Writes a register of the CRT controller.
pub fn set_crtc(vga: &mut Vga, index: u8, value: u8) {
    let port = crtc_port(vga);
    set(vga, port, index, value);
}

/// Writes two registers of the CRT controller, the first the high byte.
pub fn set_crtc_word(vga: &mut Vga, index: u8, value: u16) {
    let [high, low] = value.to_be_bytes();
    set_crtc(vga, index, high);
    set_crtc(vga, index + 1, low);
}

/// Reads a register of the sequencer.
pub fn sequencer(vga: &mut Vga, index: u8) -> u8 {
    get(vga, SEQUENCER, index)
}

/// Writes a register of the sequencer.
pub fn set_sequencer(vga: &mut Vga, index: u8, value: u8) {
    set(vga, SEQUENCER, index, value);
}

/// Reads a register of the graphics controller.
pub fn graphics(vga: &mut Vga, index: u8) -> u8 {
    get(vga, GRAPHICS, index)
}

/// Writes a register of the graphics controller.
pub fn set_graphics(vga: &mut Vga, index: u8, value: u8) {
    set(vga, GRAPHICS, index, value);
}

/// Makes port 3C0h expect an index.
fn expect_index(vga: &mut Vga) {
    let status = crtc_port(vga) + 6;
    read(vga, status);
}

/// Reads a register of the attribute controller. Its index stays as it was.
pub fn attribute(vga: &mut Vga, index: u8) -> u8 {
    expect_index(vga);
    let before = read(vga, ATTRIBUTE);
    vga.port_write(ATTRIBUTE, index);
    let value = read(vga, ATTRIBUTE_READ);
    expect_index(vga);
    vga.port_write(ATTRIBUTE, before);
    expect_index(vga);
    value
}

/// Writes a register of the attribute controller. Its index stays as it was.
pub fn set_attribute(vga: &mut Vga, index: u8, value: u8) {
    expect_index(vga);
    let before = read(vga, ATTRIBUTE);
    vga.port_write(ATTRIBUTE, index);
    vga.port_write(ATTRIBUTE, value);
    vga.port_write(ATTRIBUTE, before);
    expect_index(vga);
}

/// Changes the bits of `mask` in a register of the attribute controller.
pub fn change_attribute(vga: &mut Vga, index: u8, mask: u8, bits: u8) {
    let value = attribute(vga, index);
    set_attribute(vga, index, value & !mask | bits & mask);
}

/// Shows the picture and not the palette's registers.
pub fn show_picture(vga: &mut Vga) {
    expect_index(vga);
    vga.port_write(ATTRIBUTE, SHOW_PICTURE);
    expect_index(vga);
}
