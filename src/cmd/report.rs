//! The report of a run, for programs: how it ended, and what the guest left on its screen and in its registers.
//!
//! JSON, one object; docs/report.md tells what each member is. A member is never taken away, so that what reads
//! reports today reads those of later versions.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use stepvisor::devices::frame::{Cell, Frame, TextFrame};
use stepvisor::machine::Machine;
use stepvisor::ui;
use stepvisor::x86::{CpuMode, Phys};

/// Bytes of a port's output that are kept: the first ones.
const KEPT: usize = 1 << 20;

/// Where the BIOS data area begins, and how long it is.
const BIOS_DATA_AREA: (Phys, usize) = (Phys(0x400), 0x100);

/// What the guest sent, as far as it went to the console, and what Stepvisor said.
#[derive(Clone, Debug, Default)]
pub struct Heard(Rc<RefCell<Words>>);

#[derive(Debug, Default)]
struct Words {
    notices: Vec<String>,
    console: Vec<u8>,
    serial: [Vec<u8>; 2],
}

impl Heard {
    /// A line of Stepvisor's own.
    pub fn notice(&self, text: &str) {
        self.0.borrow_mut().notices.push(text.to_owned());
    }

    /// Bytes of the debug console.
    pub fn console(&self, bytes: &[u8]) {
        keep(&mut self.0.borrow_mut().console, bytes);
    }

    /// Bytes of serial port `port`, 1 for COM1.
    pub fn serial(&self, port: usize, bytes: &[u8]) {
        let mut words = self.0.borrow_mut();
        if let Some(kept) = port.checked_sub(1).and_then(|number| words.serial.get_mut(number)) {
            keep(kept, bytes);
        }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// How the run ended.
#[derive(Debug)]
pub struct End<'a> {
    /// By a word of `stepvisor test`'s `ends`, or `interrupted`.
    pub word: &'a str,
    /// In a sentence.
    pub text: &'a str,
    /// The exit code of the command.
    pub code: u8,
}

/// Writes the report to `path`.
pub fn write(path: &Path, machine: &Machine, heard: &Heard, end: &End<'_>) -> io::Result<()> {
    let report = report(machine, heard, end);
    fs::write(path, format!("{report:#}\n"))
}

fn report(machine: &Machine, heard: &Heard, end: &End<'_>) -> Value {
    let cpu = machine.cpu();
    let (start, length) = BIOS_DATA_AREA;
    let mut data_area = vec![0; length];
    let read = machine.read_phys(start, &mut data_area);
    data_area.truncate(read);
    let words = heard.0.borrow();
    json!({
        "ending": end.word,
        "text": end.text,
        "exit_code": end.code,
        "halted": machine.is_halted(),
        "mode": CpuMode::of(cpu).to_string(),
        "location": cpu.location().to_string(),
        "registers": registers(machine),
        "screen": screen(&machine.frame()),
        "bios_data_area": hex(&data_area),
        "serial": words.serial.iter().map(|bytes| latin1(bytes)).collect::<Vec<_>>(),
        "debug_console": latin1(&words.console),
        "notices": words.notices,
    })
}

/// Numbers as text: those of 64 bits are not safe in JSON.
fn registers(machine: &Machine) -> Value {
    const NAMES: [&str; 16] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ];
    let cpu = machine.cpu();
    let segments = &cpu.segments;
    let general = NAMES.iter().copied().zip(cpu.gpr);
    let others = [
        ("rip", cpu.rip),
        ("rflags", cpu.rflags),
        ("es", segments.es.selector.into()),
        ("cs", segments.cs.selector.into()),
        ("ss", segments.ss.selector.into()),
        ("ds", segments.ds.selector.into()),
        ("fs", segments.fs.selector.into()),
        ("gs", segments.gs.selector.into()),
        ("cr0", cpu.cr0),
        ("cr2", cpu.cr2),
        ("cr3", cpu.cr3),
        ("cr4", cpu.cr4),
        ("efer", cpu.efer),
    ];
    let all = general.chain(others);
    all.map(|(name, value)| (name.to_owned(), json!(format!("{value:#x}")))).collect()
}

fn screen(frame: &Frame) -> Value {
    match frame {
        Frame::Text(text) => text_screen(frame, text),
        Frame::Graphics(graphics) => json!({
            "kind": "graphics",
            "width": graphics.width,
            "height": graphics.height,
            "mode": graphics.mode,
        }),
        _ => json!({ "kind": "unknown" }),
    }
}

fn text_screen(frame: &Frame, text: &TextFrame) -> Value {
    let cells = |row: &[Cell]| -> String {
        row.iter().map(|cell| hex(&[cell.character, cell.attribute])).collect()
    };
    let grid = ui::text::grid(frame);
    json!({
        "kind": "text",
        "columns": text.columns(),
        "rows": text.rows().len(),
        "cursor": text.cursor_in_text().map(|cursor| [cursor.row, cursor.column]),
        "lines": grid.lines().map(|line| line.trim_end_matches(' ')).collect::<Vec<_>>(),
        "cells": text.lines().map(cells).collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A character for each byte, so that nothing is lost and ASCII can be read.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_sends_is_kept_byte_by_byte_up_to_a_limit() {
        let heard = Heard::default();
        heard.serial(1, b"caf\xe9");
        heard.serial(3, b"no such port");
        heard.console(&vec![b'x'; KEPT + 1]);
        let words = heard.0.borrow();
        assert_eq!(latin1(&words.serial[0]), "café");
        assert_eq!(words.serial[1], b"");
        assert_eq!(words.console.len(), KEPT);
    }
}
