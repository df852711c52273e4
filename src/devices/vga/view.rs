//! The VGA in words, for a person who debugs its guest.

use std::fmt;

use super::Vga;
use super::graphics::Shift;
use crate::devices::frame::Frame;

impl fmt::Display for Vga {
    /// Several lines: mode, where the picture and the cursor are, then every register.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = &self.registers;
        let (crtc, graphics) = (&registers.crtc, &registers.graphics);
        let frame = self.frame();
        match &frame {
            Frame::Text(text) => {
                let width = usize::from(text.columns()) * usize::from(text.generator.cell_width);
                let height = text.height();
                let cells = format!(
                    "{}x{} characters of {}x{}, {width}x{height}",
                    text.columns(),
                    text.rows().len(),
                    text.generator.cell_width,
                    crtc.last_row_line() + 1
                );
                writeln!(f, "{}", self.mode_text(&cells))?;
            }
            Frame::Graphics(graphics) => writeln!(f, "{}", graphics.mode)?,
        }
        writeln!(f, "screen     {}", self.blank().unwrap_or("on"))?;
        match self.window() {
            Some(window) => {
                let (first, last) = (0xa_0000 + window.start, 0xa_0000 + window.end - 1);
                writeln!(f, "memory     {first:05X}-{last:05X}, {}", self.layout())?;
            }
            None => writeln!(f, "memory     nowhere: bit 1 of misc output is 0")?,
        }
        let (start, pitch) = (crtc.start_address(), crtc.row_pitch());
        let bytes = crtc.offset(start, 0);
        writeln!(
            f,
            "picture    begins at {start:04X}, offset {bytes:04X} in the planes; {pitch} to the next row; \
             line compare {:03X}",
            crtc.line_compare()
        )?;
        if let Frame::Text(text) = &frame {
            let place = match (text.cursor, crtc.cursor_lines()) {
                (_, None) => "off".to_owned(),
                (Some(at), Some((first, last))) => {
                    format!("row {}, column {}, lines {first} to {last}", at.row, at.column)
                }
                (None, Some(_)) => "not on the screen".to_owned(),
            };
            writeln!(f, "cursor     {place}; address {:04X}", crtc.cursor_address())?;
        }
        let (misc, feature) = (registers.misc, registers.feature_control);
        writeln!(f, "misc       {misc:02X}, feature control {feature:02X}")?;
        bytes_line(f, "crtc", crtc.index, &crtc.registers)?;
        let sequencer = &registers.sequencer;
        bytes_line(f, "sequencer", sequencer.index, &sequencer.registers)?;
        bytes_line(f, "graphics", graphics.index, &graphics.registers)?;
        writeln!(f, "latches    {}", hex(&graphics.latches))?;
        let attribute = &registers.attribute;
        bytes_line(f, "attribute", attribute.index, &attribute.registers)?;
        let next = if attribute.expects_data { "data" } else { "an index" };
        writeln!(f, "           port 3C0h expects {next}")?;
        let dac = &registers.dac;
        let access = if dac.state() == 0 { "written" } else { "read" };
        writeln!(
            f,
            "dac        mask {:02X}, write index {:02X}, read index {:02X}, being {access}",
            dac.mask, dac.write_index, dac.read_index
        )?;
        let colours = self.palette().map(|[r, g, b]| format!("{r:02X}{g:02X}{b:02X}"));
        let (dark, bright) = colours.split_at(8);
        write!(f, "colours    {}\n           {}", dark.join(" "), bright.join(" "))
    }
}

impl Vga {
    /// How the host's addresses lead to the planes.
    fn layout(&self) -> &'static str {
        let (sequencer, graphics) = (&self.registers.sequencer, &self.registers.graphics);
        match (sequencer.chains_four(), sequencer.writes_odd_even(), graphics.shift()) {
            (true, ..) => "the low two bits select the plane (chain 4)",
            (false, true, _) => "odd and even addresses in different planes",
            (false, false, Shift::Packed256) => "a pixel of four in each plane (unchained)",
            (false, false, _) => "planar",
        }
    }
}

/// Registers in rows of sixteen.
fn bytes_line(f: &mut fmt::Formatter<'_>, name: &str, index: u8, bytes: &[u8]) -> fmt::Result {
    for (row, bytes) in bytes.chunks(16).enumerate() {
        let name = if row == 0 { name } else { "" };
        let index = if row == 0 { format!(" (index {index:02X})") } else { String::new() };
        writeln!(f, "{name:<11}{:02X}: {}{index}", row * 16, hex(bytes))?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}
