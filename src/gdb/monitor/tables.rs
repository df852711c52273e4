//! `ivt`, `idt` and `gdt`: the processor's tables, decoded (SDM vol. 3A, 3.4.5, 3.5, 6.10, 6.11 and 21.1.4).

use super::CommandError;
use super::address::number;
use crate::bios::{describe, rom};
use crate::machine::Machine;
use crate::x86::gate::Entry;
use crate::x86::registers::{CR0_PE, EFER_LMA};
use crate::x86::segment::read_descriptor;
use crate::x86::{Access, CpuState, DescriptorTable, Linear, SegOff, Segment, exceptions};

/// Where vectors lead that the firmware has no service for.
const IDLE: SegOff = SegOff::new(rom::SEGMENT, rom::DUMMY);

/// Most lines that one command prints.
const MOST: usize = 1024;

/// Carries out `ivt` with its argument: the real-mode vectors, whatever the mode is.
pub(super) fn ivt(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    let only = vector(argument)?;
    let cpu = machine.cpu();
    // Outside real mode IDTR is about another table, and the vectors are where they were at reset.
    let table =
        if cpu.cr0 & CR0_PE == 0 { cpu.idtr } else { DescriptorTable { base: 0, limit: 0x3ff } };
    let firmware = machine.has_firmware();
    let mut text = format!("vectors at {:#x}, limit {:#x}\n", table.base, table.limit);
    for n in 0..=255u8 {
        if only.is_some_and(|only| only != n) {
            continue;
        }
        let offset = u16::from(n) * 4;
        if offset + 3 > table.limit {
            if only.is_some() {
                text.push_str(&format!("{n:02x}  is beyond the table's limit\n"));
            }
            continue;
        }
        let mut bytes = [0; 4];
        let at = Linear(table.base).offset(offset.into());
        if machine.read_linear(at, &mut bytes) < bytes.len() {
            text.push_str(&format!("{n:02x}  at {at} there is nothing\n"));
            break;
        }
        let [o0, o1, s0, s1] = bytes;
        let pair = SegOff::new(u16::from_le_bytes([s0, s1]), u16::from_le_bytes([o0, o1]));
        let idle = bytes == [0; 4] || firmware && pair == IDLE;
        if !idle || only.is_some() {
            let known = firmware.then(|| describe::target(pair)).flatten();
            let words = known.unwrap_or_else(|| service(n));
            let line = format!("{n:02x}  {pair}  {:#x}  {words}", pair.linear().0);
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    if only.is_none() {
        let others = if firmware { ", or F000:FF53, the BIOS's IRET" } else { "" };
        text.push_str(&format!("all others are 0000:0000{others}\n"));
    }
    Ok(text)
}

/// Carries out `idt` with its argument: the gates of protected and long mode.
pub(super) fn idt(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    let only = vector(argument)?;
    let cpu = machine.cpu();
    if cpu.cr0 & CR0_PE == 0 {
        let text = "there are no gates in real mode: see ivt";
        return Err(CommandError(text.to_owned()));
    }
    let size: u32 = if cpu.efer & EFER_LMA != 0 { 16 } else { 8 };
    let DescriptorTable { base, limit } = cpu.idtr;
    let mut text = format!("IDT at {base:#x}, limit {limit:#x}\n");
    let mut left_out = 0;
    for n in 0..=255u8 {
        if only.is_some_and(|only| only != n) {
            continue;
        }
        let offset = u32::from(n) * size;
        if offset + size - 1 > limit.into() && only.is_none() {
            break;
        }
        let mut bytes = [0; 8];
        let at = Linear(base).offset(offset.into());
        let count = machine.read_linear(at, &mut bytes);
        if count == bytes.len() && bytes == [0; 8] && only.is_none() {
            left_out += 1;
            continue;
        }
        let entry = Entry::read(cpu, machine, n);
        let line = format!("{n:02x}  {}  {}", gate(&entry, bytes, size == 16), exception(n));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if left_out > 0 {
        text.push_str(&format!("{left_out} more are zero\n"));
    }
    Ok(text)
}

/// What the gate with the first 8 bytes `bytes` is, and where it leads.
fn gate(entry: &Entry, bytes: [u8; 8], long: bool) -> String {
    let kind = match bytes[5] & 0x1f {
        0x5 => "task gate",
        0x6 => "16-bit interrupt gate",
        0x7 => "16-bit trap gate",
        0xe if long => "64-bit interrupt gate",
        0xf if long => "64-bit trap gate",
        0xe => "32-bit interrupt gate",
        0xf => "32-bit trap gate",
        _ => return entry.to_string(),
    };
    let dpl = bytes[5] >> 5 & 3;
    match entry {
        Entry::Gate { selector, offset } => {
            let ist = match bytes[4] & 7 {
                ist if long && ist != 0 => format!(", IST {ist}"),
                _ => String::new(),
            };
            format!("{selector:04X}:{offset:08X}  {offset:#x}  {kind}, DPL {dpl}{ist}")
        }
        other => format!("{kind}, DPL {dpl}: {other}"),
    }
}

/// Carries out `gdt` with its argument, a selector.
pub(super) fn gdt(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    let only = match argument {
        "" => None,
        word => {
            let found = u16::try_from(number(word)?).ok();
            let bad = || CommandError(format!("`{word}` is no selector such as 0x08"));
            Some(found.ok_or_else(bad)?)
        }
    };
    let cpu = machine.cpu();
    let DescriptorTable { base, limit } = cpu.gdtr;
    if cpu.cr0 & CR0_PE == 0 && (base, limit) == (0, 0xffff) {
        return Err(CommandError("no GDT has been loaded yet".to_owned()));
    }
    let mut text = format!("GDT at {base:#x}, limit {limit:#x}\n");
    let (mut lines, mut zeros) = (0, 0);
    let mut selector = only.map_or(0, |only| only & !7);
    loop {
        let is_beyond = u32::from(selector) + 7 > limit.into();
        if is_beyond && only.is_none() {
            break;
        }
        // In place of the LDT's, for what is asked for is this table.
        let (line, size) = descriptor(cpu, machine, selector);
        match line {
            Some(line) => {
                text.push_str(&format!("{selector:04x}  {line}\n"));
                lines += 1;
            }
            None if only.is_some() => text.push_str(&format!("{selector:04x}  null\n")),
            None => zeros += 1,
        }
        let Some(next) = selector.checked_add(size) else { break };
        if only.is_some() {
            break;
        }
        if lines == MOST {
            text.push_str("and so on\n");
            break;
        }
        selector = next;
    }
    match zeros {
        0 => {}
        1 => text.push_str("1 is null\n"),
        _ => text.push_str(&format!("{zeros} are null\n")),
    }
    Ok(text)
}

/// The descriptor in words, nothing if it is all zero, and how many bytes it takes.
fn descriptor(cpu: &CpuState, machine: &Machine, selector: u16) -> (Option<String>, u16) {
    let segment = match read_descriptor(cpu, machine, selector) {
        Ok(segment) => segment,
        Err(error) => return (Some(error.to_string()), 8),
    };
    let Segment { base, limit, access, .. } = segment;
    if access == Access::default() && base == 0 && limit == 0 {
        return (None, 8);
    }
    let long = cpu.efer & EFER_LMA != 0;
    let kind = kind(access, long);
    let present = if access.present { "" } else { ", not present" };
    let size = if long && !access.code_or_data { 16 } else { 8 };
    let text = if !access.code_or_data && matches!(access.kind, 4 | 5 | 6 | 7 | 12 | 14 | 15) {
        format!("{kind}, DPL {}{present}", access.dpl)
    } else {
        format!("base {base:#010x} limit {limit:#010x}  {kind}, DPL {}{present}", access.dpl)
    };
    (Some(text), size)
}

fn kind(access: Access, long: bool) -> String {
    let bit = |n: u8| access.kind >> n & 1 != 0;
    if !access.code_or_data {
        let wide = if long { "64-bit" } else { "32-bit" };
        return match access.kind {
            1 => "16-bit TSS, available".to_owned(),
            2 => "LDT".to_owned(),
            3 => "16-bit TSS, busy".to_owned(),
            4 => "16-bit call gate".to_owned(),
            5 => "task gate".to_owned(),
            6 => "16-bit interrupt gate".to_owned(),
            7 => "16-bit trap gate".to_owned(),
            9 => format!("{wide} TSS, available"),
            11 => format!("{wide} TSS, busy"),
            12 => format!("{wide} call gate"),
            14 => format!("{wide} interrupt gate"),
            15 => format!("{wide} trap gate"),
            other => format!("reserved type {other}"),
        };
    }
    let mut words = Vec::new();
    if bit(3) {
        words.push(match (access.long, access.default_big) {
            (true, _) if long => "64-bit code",
            (_, true) => "32-bit code",
            (true, false) => "64-bit code (in long mode)",
            (false, false) => "16-bit code",
        });
        words.push(if bit(1) { "execute/read" } else { "execute" });
        if bit(2) {
            words.push("conforming");
        }
    } else {
        words.push(if access.default_big { "32-bit data" } else { "16-bit data" });
        words.push(if bit(1) { "read/write" } else { "read" });
        if bit(2) {
            words.push("expands down");
        }
    }
    if bit(0) {
        words.push("accessed");
    }
    words.join(", ")
}

/// The vector that a command is limited to.
fn vector(argument: &str) -> Result<Option<u8>, CommandError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let bad = || CommandError(format!("`{argument}` is no vector, 0 to 0xff"));
    Ok(Some(u8::try_from(number(argument)?).map_err(|_| bad())?))
}

/// What IBM's BIOS and DOS made of a real-mode vector, and the processor before them.
fn service(vector: u8) -> String {
    let words = match vector {
        0x02 => "NMI",
        0x05 => "print screen, BOUND",
        0x08 => "IRQ 0, timer",
        0x09 => "IRQ 1, keyboard",
        0x0a..=0x0f => return format!("IRQ {}", vector - 8),
        0x10 => "video services",
        0x11 => "equipment",
        0x12 => "memory size",
        0x13 => "disk services",
        0x14 => "serial services",
        0x15 => "system services",
        0x16 => "keyboard services",
        0x17 => "printer services",
        0x18 => "no bootable disk",
        0x19 => "bootstrap",
        0x1a => "clock services",
        0x1b => "break key",
        0x1c => "timer tick",
        0x1d => "video parameters",
        0x1e => "disk parameters",
        0x1f => "upper half of the font",
        0x21 => "DOS services",
        0x70..=0x77 => return format!("IRQ {}", vector - 0x68),
        0x00..=0x07 => return exception(vector),
        _ => "",
    };
    words.to_owned()
}

/// The exception with this vector.
fn exception(vector: u8) -> String {
    match vector {
        2 => "NMI".to_owned(),
        0..=31 => exceptions::name(vector),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words for the descriptor with this upper half.
    fn said(high: u32, long: bool) -> String {
        kind(Access::from_descriptor_bits(high), long)
    }

    #[test]
    fn every_type_of_descriptor_has_its_words() {
        assert_eq!(said(0x00cf_9b00, false), "32-bit code, execute/read, accessed");
        assert_eq!(said(0x0000_9e00, false), "16-bit code, execute/read, conforming");
        assert_eq!(said(0x0020_9800, true), "64-bit code, execute");
        assert_eq!(said(0x0020_9800, false), "64-bit code (in long mode), execute");
        assert_eq!(said(0x00cf_9600, false), "32-bit data, read/write, expands down");
        assert_eq!(said(0x0000_9000, false), "16-bit data, read");
        assert_eq!(said(0x0000_8b00, false), "32-bit TSS, busy");
        assert_eq!(said(0x0000_8900, true), "64-bit TSS, available");
        assert_eq!(said(0x0000_8200, true), "LDT");
        assert_eq!(said(0x0000_8c00, false), "32-bit call gate");
        assert_eq!(said(0x0000_8d00, false), "reserved type 13");
    }

    #[test]
    fn vectors_have_the_names_that_programmers_know() {
        let names = [0x00, 0x08, 0x0e, 0x10, 0x13, 0x21, 0x70, 0x76, 0x60].map(service);
        assert_eq!(
            names,
            [
                "#DE, divide error",
                "IRQ 0, timer",
                "IRQ 6",
                "video services",
                "disk services",
                "DOS services",
                "IRQ 8",
                "IRQ 14",
                ""
            ]
        );
        assert_eq!(exception(0x0e), "#PF, page fault");
        assert_eq!(exception(0x80), "");
    }
}
