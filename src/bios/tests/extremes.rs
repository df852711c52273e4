//! Services of the screen at the ends of what registers and data area can say.

use std::sync::{Arc, Mutex};

use super::*;
use crate::devices::vga::vbe::{self, LinearMemory};
use crate::x86::SegmentName;

#[derive(Debug)]
struct Framebuffer(Mutex<Vec<u8>>);

impl LinearMemory for Framebuffer {
    fn read(&self, offset: u32, data: &mut [u8]) {
        let memory = self.0.lock().unwrap();
        let there = memory.get(offset as usize..).unwrap_or_default();
        let len = there.len().min(data.len());
        data[..len].copy_from_slice(&there[..len]);
    }

    fn write(&self, offset: u32, data: &[u8]) {
        let mut memory = self.0.lock().unwrap();
        let there = memory.get_mut(offset as usize..).unwrap_or_default();
        let len = there.len().min(data.len());
        there[..len].copy_from_slice(&data[..len]);
    }
}

#[test]
fn a_window_of_255_rows_can_be_scrolled_away() {
    for function in [0x0600, 0x0700] {
        let mut bench = Bench::new();
        // The last row, as a guest may have set it.
        bench.pc().write_u8(Phys(0x484), 0xff);
        bench.pc().write(Phys(0xb_8000), b"AaBb");
        bench.call(0x10, [function, 0x1e00, 0x0100, 0xff4f]);
        assert_eq!(bench.double(0xb_8000), u32::from_le_bytes(*b"AaBb"), "above the window");
        assert_eq!(bench.word(0xb_80a0), 0x1e20, "in it");
    }
}

/// Line feeds in the last row scroll, each of them.
#[test]
fn a_call_with_a_long_text_comes_back_before_the_end_and_goes_on() {
    let mut bench = Bench::new();
    bench.pc().write(Phys(0x1_0000), &[b'\n'; 2000]);
    let mut pc = bench.pc();
    pc.set_segment(SegmentName::Es, 0x1000);
    pc.set_word(Gpr::Rbp, 0);
    pc.write(Phys(0xb_8000 + 24 * 160), b"AaBb");
    let mut calls = 0;
    let registers = bench.call(0x10, [0x1301, 0x0007, 20, 0x1802]);
    assert_eq!(
        (registers, bench.cpu.rip),
        ([0x1301, 0x0007, 20, 0x1802], 0),
        "a short one at once"
    );
    assert_eq!(bench.double(0xb_8000 + 4 * 160), u32::from_le_bytes(*b"AaBb"));
    bench.cpu.rflags |= RFLAGS_IF;
    bench.call(0x10, [0x1301, 0x0007, 2000, 0x1802]);
    while bench.cpu.rip != 0 {
        assert_eq!(bench.cpu.rip, u64::from(rom::VIDEO_REST));
        assert_eq!(bench.cpu.rflags & RFLAGS_IF, 0);
        assert_eq!(bench.word(0x450), 0x1802, "the cursor moves at the end");
        bench.cpu.rip = 0;
        assert_eq!(bench.serve(Service::Rest), Outcome::Return);
        calls += 1;
    }
    assert!(calls > 10, "{calls}");
    let values = [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx].map(|gpr| bench.pc().word(gpr));
    assert_eq!(values, [0x1301, 0x0007, 2000, 0x1802]);
    assert_eq!(bench.word(0x450), 0x1802);
}

#[test]
fn a_long_text_is_the_same_as_many_short_ones() {
    let text: Vec<u8> = (0..2 * 700).map(|at| (at * 7 % 251) as u8).collect();
    let screen = |at_once: usize| {
        let mut bench = Bench::new();
        bench.pc().write(Phys(0x1_0000), &text);
        bench.pc().set_segment(SegmentName::Es, 0x1000);
        let mut at = 0x0503;
        let finish = |bench: &mut Bench| {
            while std::mem::take(&mut bench.cpu.rip) != 0 {
                bench.serve(Service::Rest);
            }
        };
        for start in (0..700).step_by(at_once) {
            bench.pc().set_word(Gpr::Rbp, (2 * start) as u16);
            bench.call(0x10, [0x1303, 0x0000, at_once as u16, at]);
            finish(&mut bench);
            at = bench.word(0x450);
        }
        for (function, count) in [(0x0200, 0), (0x09c4, 1000), (0x0a2a, 300)] {
            bench.call(0x10, [function, 0x001e, count, 0]);
            finish(&mut bench);
        }
        let mut cells = vec![0; 4000];
        bench.pc().read(Phys(0xb_8000), &mut cells);
        (cells, at)
    };
    let (cells, at) = screen(700);
    assert!((&cells, at) == (&screen(100).0, screen(100).1));
    assert!(cells[..2 * 300] == [0x2a, 0x1e].repeat(300));
    assert!(cells[2 * 300..2 * 1000] == [0xc4, 0x1e].repeat(700));
}

#[test]
fn a_pixel_far_outside_a_linear_mode_is_not_drawn() {
    let mut bench = Bench::new();
    let memory = Arc::new(Framebuffer(Mutex::new(vec![0; vbe::FRAMEBUFFER_SIZE as usize])));
    bench.devices.vga_mut().attach(memory.clone());
    bench.ram.add_device_memory(vbe::FRAMEBUFFER, vbe::FRAMEBUFFER_SIZE).unwrap();
    // 640x480 of 32 bits a pixel, with rows as long as they can be.
    assert_eq!(bench.call(0x10, [0x4f02, 0x4142, 0, 0])[0], 0x004f);
    assert_eq!(bench.call(0x10, [0x4f06, 0x0000, 0xffff, 0])[0], 0x004f);
    for (x, y) in [(0xffff, 0xffff), (0xfff8, 0xffff), (0, 0xffff), (0xffff, 0x1000)] {
        bench.call(0x10, [0x0c0f, 0, x, y]);
    }
    let mut bytes = vec![0; vbe::FRAMEBUFFER_SIZE as usize];
    bench.pc().read(vbe::FRAMEBUFFER, &mut bytes);
    assert!(bytes.iter().all(|byte| *byte == 0));
}
