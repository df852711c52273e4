//! Services of the screen at the ends of what registers and data area can say.

use std::sync::{Arc, Mutex};

use super::*;
use crate::devices::vga::vbe::{self, LinearMemory};

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
