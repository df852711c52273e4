use super::*;
use crate::devices::frame::{Cell, Cursor, Frame, GraphicsFrame, TextFrame, VGA_PALETTE};
use crate::devices::tests::random::Random;

const MODES: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13];

fn text(vga: &Vga) -> TextFrame {
    let Frame::Text(text) = vga.frame() else { panic!("not text") };
    text
}

fn graphics(vga: &Vga) -> GraphicsFrame {
    let Frame::Graphics(graphics) = vga.frame() else { panic!("not graphics") };
    assert_eq!(graphics.pixels.len(), graphics.width * graphics.height);
    graphics
}

fn in_mode(number: u8) -> Vga {
    let mut vga = Vga::new();
    assert!(vga.set_mode(number, true));
    vga
}

/// Writes `value` to register `index` behind the index port `port`.
fn set(vga: &mut Vga, port: u16, index: u8, value: u8) {
    if port == 0x3c0 {
        vga.port_read(0x3da);
        vga.port_write(port, index);
        vga.port_write(port, value);
        vga.port_write(port, 0x20);
    } else {
        vga.port_write(port, index);
        vga.port_write(port + 1, value);
    }
}

fn get(vga: &mut Vga, port: u16, index: u8) -> u8 {
    vga.port_write(port, index);
    vga.port_read(port + 1).unwrap()
}

fn write(vga: &mut Vga, address: u32, data: &[u8]) {
    assert!((address..).zip(data).all(|(address, &byte)| vga.write(address, byte)));
}

fn row(frame: &GraphicsFrame, y: usize) -> &[u8] {
    &frame.pixels[y * frame.width..][..frame.width]
}

const TEXT: u32 = 0x1_8000;

#[test]
fn power_on_shows_80_by_25_blanks_and_the_cursor() {
    let frame = text(&Vga::new());
    assert_eq!((frame.columns(), frame.rows().len()), (80, 25));
    assert!(frame.lines().flatten().all(|&cell| cell == Cell::BLANK));
    let cursor = Cursor { row: 0, column: 0, first_line: 13, last_line: 14 };
    assert_eq!((frame.cursor, frame.blink, frame.palette), (Some(cursor), true, VGA_PALETTE));
    assert_eq!(frame.generator, crate::devices::frame::Generator::default());
    assert_eq!(frame.pixel_aspect, (20, 27));
}

#[test]
fn both_bytes_of_the_first_and_the_last_cell_count() {
    let mut vga = Vga::new();
    write(&mut vga, TEXT, &[b'A', 0x1e]);
    write(&mut vga, TEXT + 3998, &[b'Z', 0x4f]);
    write(&mut vga, TEXT + 4000, &[b'!', 0x70]);
    let frame = text(&vga);
    assert_eq!(frame.cell(0, 0), Some(Cell { character: b'A', attribute: 0x1e }));
    assert_eq!(frame.cell(79, 24), Some(Cell { character: b'Z', attribute: 0x4f }));
    assert_eq!(frame.lines().flatten().filter(|&&cell| cell != Cell::BLANK).count(), 2);
}

#[test]
fn text_memory_is_32_kib_of_plain_bytes() {
    let mut random = Random::new(1);
    let mut vga = Vga::new();
    let mut model = [0x20, 0x07].repeat(0x4000);
    for _ in 0..100_000 {
        let at = random.below(0x8000);
        if random.below(2) == 0 {
            let value = random.below(256) as u8;
            assert!(vga.write(TEXT + at, value));
            model[at as usize] = value;
        } else {
            assert_eq!(vga.read(TEXT + at), Some(model[at as usize]));
        }
    }
    let all: Vec<u8> = (TEXT..0x2_0000).map(|address| vga.peek(address).unwrap()).collect();
    assert_eq!(all, model);
    for outside in [0, 0xffff, TEXT - 1, 0x2_0000, u32::MAX] {
        assert_eq!((vga.read(outside), vga.write(outside, 0)), (None, false), "{outside:#x}");
    }
}

#[test]
fn a_mode_is_named_by_the_number_it_was_set_by() {
    for (number, name) in [(0, "mode 0: 40x25"), (2, "mode 2: 80x25"), (5, "mode 5: 320x200")] {
        let mut vga = in_mode(number);
        assert!(vga.to_string().starts_with(name), "{vga}");
        // The registers of another.
        let other = in_mode(6);
        vga.registers = Registers { mode_set: number, ..other.registers };
        assert!(vga.to_string().starts_with("mode 6: 640x200"), "{vga}");
    }
    let Frame::Graphics(frame) = in_mode(5).frame() else { panic!("no graphics") };
    assert_eq!(frame.mode, "mode 5: 320x200, 4 colours");
}

#[test]
fn each_mode_has_its_size_and_says_its_name() {
    let expected = [
        (1, "40x25 of 9x16", (360, 400)),
        (3, "80x25 of 9x16", (720, 400)),
        (4, "mode 4: 320x200, 4 colours", (320, 200)),
        (6, "mode 6: 640x200, 2 colours", (640, 200)),
        (7, "80x25 of 9x16", (720, 400)),
        (0xd, "mode Dh: 320x200, 16 colours", (320, 200)),
        (0xe, "mode Eh: 640x200, 16 colours", (640, 200)),
        (0xf, "mode Fh: 640x350, 2 colours", (640, 350)),
        (0x10, "mode 10h: 640x350, 16 colours", (640, 350)),
        (0x11, "mode 11h: 640x480, 2 colours", (640, 480)),
        (0x12, "mode 12h: 640x480, 16 colours", (640, 480)),
        (0x13, "mode 13h: 320x200, 256 colours", (320, 200)),
    ];
    for (number, name, size) in expected {
        let vga = in_mode(number);
        assert_eq!(vga.mode().map(|mode| mode.number), Some(number));
        match vga.frame() {
            Frame::Text(text) => {
                let width = usize::from(text.columns()) * usize::from(text.generator.cell_width);
                let height = text.rows().iter().map(|row| usize::from(row.lines)).sum();
                assert_eq!((width, height), size);
                let wide = u32::from(text.generator.cell_width);
                assert_eq!(name, format!("{}x{} of {wide}x16", text.columns(), text.rows().len()));
                assert!(text.lines().flatten().all(|&cell| cell == Cell::BLANK));
            }
            Frame::Graphics(frame) => {
                assert_eq!((frame.mode.as_str(), (frame.width, frame.height)), (name, size));
                assert!(frame.pixels.iter().all(|&pixel| pixel == 0));
            }
        }
    }
    assert!(!Vga::new().set_mode(8, true) && !Vga::new().set_mode(0x14, true));
}

#[test]
fn modes_that_differ_on_a_composite_monitor_only_are_the_same() {
    for (one, other) in [(0, 1), (2, 3), (4, 5)] {
        let (one, mut other) = (in_mode(one).save(), in_mode(other).save());
        other.registers.mode_set = one.registers.mode_set;
        assert!(one == other, "{}", one.registers.mode_set);
    }
}

#[test]
fn what_is_written_to_registers_is_read_in_the_bits_that_they_have() {
    let mut vga = Vga::new();
    let masks: [(u16, &[u8]); 2] = [
        (0x3c4, &[0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0]),
        (0x3ce, &[0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0, 0]),
    ];
    let mut random = Random::new(3);
    for _ in 0..50 {
        for (port, masks) in masks {
            for (index, mask) in (0..).zip(masks) {
                let value = random.below(256) as u8;
                set(&mut vga, port, index, value);
                assert_eq!(get(&mut vga, port, index), value & mask, "{port:#x} {index}");
            }
        }
        set(&mut vga, 0x3d4, 0x11, 0);
        for index in (0..0x19).filter(|index| *index != 0x11) {
            let value = random.below(256) as u8;
            set(&mut vga, 0x3d4, index, value);
            assert_eq!(get(&mut vga, 0x3d4, index), value);
        }
        for index in 0..0x15 {
            let value = random.below(16) as u8;
            set(&mut vga, 0x3c0, index, value);
            vga.port_read(0x3da);
            assert_eq!(
                vga.port_write(0x3c0, index | 0x20).then(|| vga.port_read(0x3c1)),
                Some(Some(value))
            );
        }
    }
    assert_eq!(get(&mut vga, 0x3d4, 0x19), 0);
}

#[test]
fn bit_7_of_register_11h_protects_the_timing() {
    let mut vga = Vga::new();
    let before: Vec<u8> = (0..8).map(|index| get(&mut vga, 0x3d4, index)).collect();
    set(&mut vga, 0x3d4, 0x11, 0x8e);
    (0..8).for_each(|index| set(&mut vga, 0x3d4, index, 0));
    let after: Vec<u8> = (0..8).map(|index| get(&mut vga, 0x3d4, index)).collect();
    // Bit 4 of 7 is the line compare's, which is not protected.
    assert_eq!((&after[..7], after[7]), (&before[..7], before[7] & !0x10));
    set(&mut vga, 0x3d4, 0x11, 0x0e);
    set(&mut vga, 0x3d4, 0, 1);
    assert_eq!(get(&mut vga, 0x3d4, 0), 1);
}

#[test]
fn the_attribute_port_takes_index_and_data_in_turn_until_a_status_read() {
    let mut vga = Vga::new();
    vga.port_read(0x3da);
    assert!(vga.port_write(0x3c0, 0x31));
    assert!(vga.port_write(0x3c0, 0x55));
    assert_eq!((vga.port_read(0x3c0), vga.port_read(0x3c1)), (Some(0x31), Some(0x55)));
    vga.port_write(0x3c0, 0x32);
    vga.port_read(0x3da);
    vga.port_write(0x3c0, 0x33);
    assert_eq!(vga.port_read(0x3c0), Some(0x33));
}

#[test]
fn misc_output_moves_the_crt_controller() {
    let mut vga = Vga::new();
    assert_eq!((vga.port_read(0x3d4), vga.port_read(0x3b4)), (Some(0), None));
    assert_eq!(vga.port_read(0x3cc), Some(0x67));
    vga.port_write(0x3c2, 0x66);
    assert_eq!((vga.port_read(0x3d4), vga.port_write(0x3d5, 1)), (None, false));
    set(&mut vga, 0x3b4, 0x0e, 3);
    assert_eq!(get(&mut vga, 0x3b4, 0x0e), 3);
    assert!(vga.port_read(0x3ba).is_some() && vga.port_read(0x3da).is_none());
}

#[test]
fn video_memory_is_where_the_registers_put_it() {
    let mut vga = Vga::new();
    for (value, window) in [
        (0x00, 0..0x2_0000),
        (0x04, 0..0x1_0000),
        (0x08, 0x1_0000..0x1_8000),
        (0x0c, 0x1_8000..0x2_0000),
    ] {
        set(&mut vga, 0x3ce, 6, value);
        assert_eq!(vga.window(), Some(window.clone()));
        assert!(vga.write(window.start, 1) && vga.write(window.end - 1, 1));
        assert!(!vga.write(window.end, 1));
    }
    vga.port_write(0x3c2, 0x65);
    assert_eq!((vga.window(), vga.read(TEXT)), (None, None));
}

#[test]
fn reads_load_the_latches_and_peeks_do_not() {
    let mut vga = in_mode(0x12);
    for plane in 0..4 {
        set(&mut vga, 0x3c4, 2, 1 << plane);
        write(&mut vga, 0, &[0x11 << plane, 0x80 >> plane]);
    }
    assert_eq!(vga.read(0), Some(0x11));
    assert_eq!(vga.peek(1), Some(0x80));
    assert_eq!(vga.registers.graphics.latches, [0x11, 0x22, 0x44, 0x88]);
    // Write mode 1 copies four planes at once.
    set(&mut vga, 0x3c4, 2, 0xf);
    set(&mut vga, 0x3ce, 5, 1);
    write(&mut vga, 5, &[0]);
    assert_eq!(vga.memory.get(5), [0x11, 0x22, 0x44, 0x88]);
}

#[test]
fn mode_12h_shows_its_planes() {
    let mut vga = in_mode(0x12);
    // The last eight pixels, in colour 1010b.
    set(&mut vga, 0x3c4, 2, 0b1010);
    write(&mut vga, 38_399, &[0x81]);
    let frame = graphics(&vga);
    assert_eq!(row(&frame, 479)[632..], [10, 0, 0, 0, 0, 0, 0, 10]);
    assert_eq!((frame.palette.len(), frame.palette[10]), (16, [0x55, 0xff, 0x55]));
    assert_eq!(frame.pixel_aspect, (1, 1));
}

#[test]
fn mode_13h_is_a_byte_a_pixel() {
    let mut vga = in_mode(0x13);
    let pixels: Vec<u8> = (0..64_000u32).map(|n| (n * 7 + n / 320) as u8).collect();
    write(&mut vga, 0, &pixels);
    let frame = graphics(&vga);
    assert_eq!((frame.pixels, frame.pixel_aspect), (pixels, (5, 6)));
    assert_eq!((frame.palette.len(), frame.palette[40]), (256, [0xff, 0, 0]));
    assert!((0..64_000u32).all(|n| vga.read(n) == Some((n * 7 + n / 320) as u8)));
}

#[test]
fn unchained_pixels_are_in_four_planes() {
    let mut vga = in_mode(0x13);
    // Mode X: 320x240, unchained, byte mode.
    set(&mut vga, 0x3c4, 4, 0x06);
    set(&mut vga, 0x3d4, 0x11, 0x2c);
    let crtc = [
        (0x06, 0x0d),
        (0x07, 0x3e),
        (0x09, 0x41),
        (0x10, 0xea),
        (0x11, 0xac),
        (0x12, 0xdf),
        (0x14, 0x00),
        (0x15, 0xe7),
        (0x16, 0x06),
        (0x17, 0xe3),
    ];
    crtc.into_iter().for_each(|(index, value)| set(&mut vga, 0x3d4, index, value));
    vga.port_write(0x3c2, 0xe3);
    for plane in 0..4u8 {
        set(&mut vga, 0x3c4, 2, 1 << plane);
        write(&mut vga, 80, &[10 + plane, 20 + plane]);
    }
    let frame = graphics(&vga);
    assert_eq!((frame.width, frame.height, frame.pixel_aspect), (320, 240, (1, 1)));
    assert_eq!(row(&frame, 1)[..8], [10, 11, 12, 13, 20, 21, 22, 23]);
    assert_eq!(frame.mode, "no mode of the BIOS: 320x240, 256 colours, unchained");
    // Flipping pages.
    set(&mut vga, 0x3d4, 0x0d, 80);
    assert_eq!(row(&graphics(&vga), 0)[..4], [10, 11, 12, 13]);
}

#[test]
fn cga_modes_have_two_banks() {
    let mut vga = in_mode(4);
    write(&mut vga, TEXT, &[0b00_01_10_11, 0b11_00_00_00]);
    write(&mut vga, TEXT + 0x2000, &[0b01_01_01_01]);
    write(&mut vga, TEXT + 80, &[0b10_10_10_10]);
    let frame = graphics(&vga);
    assert_eq!(row(&frame, 0)[..8], [0, 1, 2, 3, 3, 0, 0, 0]);
    assert_eq!(
        (row(&frame, 1)[..4].to_vec(), row(&frame, 2)[..4].to_vec()),
        (vec![1; 4], vec![2; 4])
    );
    let colours = [[0; 3], [0x55, 0xff, 0xff], [0xff, 0x55, 0xff], [0xff; 3]];
    assert_eq!(frame.palette[..4], colours);
    assert_eq!(vga.read(TEXT), Some(0b00_01_10_11));
    let mut vga = in_mode(6);
    write(&mut vga, TEXT + 0x2000 + 79, &[0x81]);
    let frame = graphics(&vga);
    assert_eq!(row(&frame, 1)[632..], [1, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(frame.palette[1], [0xff; 3]);
}

#[test]
fn a_mode_can_be_set_without_losing_the_picture() {
    let mut vga = in_mode(0x13);
    write(&mut vga, 0, &[5]);
    vga.set_mode(0x13, false);
    assert_eq!(graphics(&vga).pixels[0], 5);
    vga.set_mode(0x13, true);
    assert_eq!(graphics(&vga).pixels[0], 0);
}

#[test]
fn the_start_address_moves_text_and_the_cursor_with_it() {
    let mut vga = Vga::new();
    write(&mut vga, TEXT + 160, b"h\x1ei\x1e");
    set(&mut vga, 0x3d4, 0x0d, 80);
    set(&mut vga, 0x3d4, 0x0f, 81);
    let frame = text(&vga);
    assert_eq!(frame.cell(1, 0), Some(Cell { character: b'i', attribute: 0x1e }));
    assert_eq!(frame.cursor.map(|at| (at.row, at.column)), Some((0, 1)));
    set(&mut vga, 0x3d4, 0x0f, 79);
    assert_eq!(text(&vga).cursor, None);
    set(&mut vga, 0x3d4, 0x0f, 80);
    set(&mut vga, 0x3d4, 0x0a, 0x2d);
    assert_eq!(text(&vga).cursor, None);
}

#[test]
fn text_scrolls_by_lines_and_pixels_and_splits() {
    let mut vga = Vga::new();
    set(&mut vga, 0x3d4, 0x08, 5);
    set(&mut vga, 0x3c0, 0x13, 2);
    let frame = text(&vga);
    let first = &frame.rows()[0];
    assert_eq!((first.first_line, first.lines, frame.rows().len(), frame.panning), (5, 11, 26, 3));
    assert_eq!(frame.rows()[25].lines, 5);
    // A split behind line 99: below it, the memory's beginning, whatever the start address.
    set(&mut vga, 0x3d4, 0x08, 0);
    set(&mut vga, 0x3d4, 0x0d, 80);
    write(&mut vga, TEXT, b"S\x07");
    set(&mut vga, 0x3d4, 0x11, 0x0e);
    for (index, value) in [(0x18, 99), (0x07, 0x0f), (0x09, 0x0f)] {
        set(&mut vga, 0x3d4, index, value);
    }
    let frame = text(&vga);
    let heights: Vec<u8> = frame.rows().iter().map(|row| row.lines).collect();
    assert_eq!(heights[..8], [16, 16, 16, 16, 16, 16, 4, 16]);
    assert_eq!(frame.cell(0, 7).map(|cell| cell.character), Some(b'S'));
    assert_eq!(heights.iter().map(|&lines| u32::from(lines)).sum::<u32>(), 400);
}

#[test]
fn lines_below_the_last_whole_row_are_of_the_picture_and_not_of_the_text() {
    let mut vga = Vga::new();
    set(&mut vga, 0x3d4, 0x09, 0x4d);
    write(&mut vga, TEXT + 28 * 160, b"x\x07");
    let [high, low] = (28 * 80_u16).to_be_bytes();
    set(&mut vga, 0x3d4, 0x0e, high);
    set(&mut vga, 0x3d4, 0x0f, low);
    let frame = text(&vga);
    assert_eq!((frame.rows().len(), frame.lines().count(), frame.height()), (28, 28, 400));
    assert!(frame.rows().iter().all(|row| (row.first_line, row.lines) == (0, 14)));
    let rest = frame.rest.as_ref().unwrap();
    assert_eq!((rest.lines, rest.cells[0].character), (8, b'x'));
    assert_eq!((frame.cursor.map(|at| at.row), frame.cursor_in_text()), (Some(28), None));
    assert!(vga.to_string().contains("80x28 characters of 9x14, 720x400"), "{vga}");
    // Whole rows leave no rest.
    set(&mut vga, 0x3d4, 0x09, 0x4f);
    assert_eq!((text(&vga).rows().len(), text(&vga).rest), (25, None));
}

#[test]
fn graphics_pan_and_split() {
    let mut vga = in_mode(0x13);
    write(&mut vga, 0, &(0..=255).collect::<Vec<u8>>());
    set(&mut vga, 0x3c0, 0x13, 4);
    assert_eq!(row(&graphics(&vga), 0)[..3], [2, 3, 4]);
    set(&mut vga, 0x3d4, 0x11, 0x0e);
    // Behind an odd line, rows of pixels can no longer be told from lines.
    for (index, value) in [(0x18, 100), (0x07, 0x0f), (0x09, 0x01)] {
        set(&mut vga, 0x3d4, index, value);
    }
    let frame = graphics(&vga);
    assert_eq!((frame.height, frame.pixel_aspect), (400, (5, 3)));
    assert_eq!(row(&frame, 101)[..3], [2, 3, 4]);
    set(&mut vga, 0x3c0, 0x10, 0x61);
    assert_eq!(row(&graphics(&vga), 101)[..3], [0, 1, 2]);
}

#[test]
fn a_font_of_the_guests_own_is_shown() {
    let mut vga = Vga::new();
    // As a guest does it: plane 2 at A0000h, without odd and even.
    for (port, index, value) in
        [(0x3c4, 2, 4), (0x3c4, 4, 6), (0x3ce, 4, 2), (0x3ce, 5, 0), (0x3ce, 6, 4)]
    {
        set(&mut vga, port, index, value);
    }
    assert_eq!(vga.read(u32::from(b'A') * 32 + 3), Some(crate::font::glyph(b'A')[3]));
    write(&mut vga, u32::from(b'A') * 32, &[0xaa; 16]);
    write(&mut vga, 0x4000 + u32::from(b'A') * 32, &[0x55; 16]);
    for (port, index, value) in
        [(0x3c4, 2, 3), (0x3c4, 4, 2), (0x3ce, 4, 0), (0x3ce, 5, 0x10), (0x3ce, 6, 0xe)]
    {
        set(&mut vga, port, index, value);
    }
    let glyphs = text(&vga).generator.glyphs;
    assert_eq!((glyphs.len(), glyphs[usize::from(b'A')][..16].to_vec()), (256, vec![0xaa; 16]));
    assert_eq!(text(&vga).cell(0, 0), Some(Cell::BLANK));
    // Character map A is the second font, for attribute bit 3.
    set(&mut vga, 0x3c4, 3, 0b0000_0100);
    let glyphs = text(&vga).generator.glyphs;
    assert_eq!((glyphs.len(), glyphs[256 + usize::from(b'A')][15]), (512, 0x55));
}

#[test]
fn colours_go_through_palette_select_and_mask() {
    let mut vga = in_mode(0x12);
    set(&mut vga, 0x3c0, 1, 0x3f);
    assert_eq!(graphics(&vga).palette[1], [0xff; 3]);
    for value in [63, 0, 0] {
        vga.port_write(0x3c8, 0x7f);
        vga.port_write(0x3c9, value);
    }
    vga.port_write(0x3c8, 0x7f);
    [63, 0, 21].into_iter().for_each(|value| assert!(vga.port_write(0x3c9, value)));
    set(&mut vga, 0x3c0, 0x14, 4);
    assert_eq!(graphics(&vga).palette[1], [0xff, 0, 0x55]);
    set(&mut vga, 0x3c0, 0x10, 0x81);
    set(&mut vga, 0x3c0, 0x14, 7);
    assert_eq!(graphics(&vga).palette[1], [0xff, 0, 0x55]);
    vga.port_write(0x3c6, 0x3f);
    assert_eq!(graphics(&vga).palette[1], [0xff; 3]);
    set(&mut vga, 0x3c0, 0x12, 0x0e);
    assert_eq!(graphics(&vga).palette[1], graphics(&vga).palette[0]);
}

#[test]
fn a_screen_that_is_off_shows_the_overscan_colour() {
    for number in [3, 0x13] {
        let mut vga = in_mode(number);
        set(&mut vga, 0x3c0, 0x11, 4);
        let look = |vga: &Vga| match vga.frame() {
            Frame::Text(text) => (text.palette[0], text.cursor.is_none()),
            Frame::Graphics(frame) => (frame.palette[0], frame.palette.len() == 1),
        };
        let red = vga.registers.dac.shown(4);
        assert_ne!(look(&vga).0, red);
        vga.port_read(0x3da);
        vga.port_write(0x3c0, 0);
        assert_eq!(look(&vga), (red, true));
        vga.port_read(0x3da);
        vga.port_write(0x3c0, 0x20);
        assert_ne!(look(&vga).0, red);
        set(&mut vga, 0x3c4, 1, 0x21);
        assert_eq!(look(&vga), (red, true));
    }
}

#[test]
fn whoever_polls_sees_each_bit_of_the_status_both_ways() {
    for number in MODES {
        let mut vga = in_mode(number);
        let port = if number == 7 { 0x3ba } else { 0x3da };
        let reads: Vec<u8> = (0..20_000).map(|_| vga.port_read(port).unwrap()).collect();
        for bit in [0x01, 0x08] {
            let changes = reads.windows(2).filter(|two| (two[0] ^ two[1]) & bit != 0).count();
            assert!(changes >= 4, "bit {bit} of mode {number:#x} changes {changes} times");
        }
        // Nothing is shown during the vertical retrace.
        assert!(reads.iter().all(|status| status & 9 != 8));
    }
}

#[test]
fn the_beam_follows_the_time_that_is_handed_in() {
    let mut vga = Vga::new();
    // 70 Hz: of the 449 lines, 400 are shown and 412 and 413 are the retrace.
    let line = |line: u64| 1_000_000_000 * 900 * line / 28_322_000 + 1_000;
    let mut status = |time| {
        vga.set_time(time);
        vga.port_read(0x3da).unwrap()
    };
    assert_eq!(status(line(10)) & 9, 0);
    assert_eq!(status(line(405)) & 9, 1);
    assert_eq!(status(line(412)) & 9, 9);
    assert_eq!(status(line(415)) & 9, 1);
    assert_eq!(status(line(449)) & 9, 0);
}

#[test]
fn a_saved_state_comes_back_through_json() {
    let mut vga = in_mode(0x12);
    write(&mut vga, 0xffff, b"k");
    vga.read(0xffff);
    vga.port_write(0x3c8, 3);
    vga.port_write(0x3c9, 3);
    let json = serde_json::to_string(&vga.save()).unwrap();
    let mut other = Vga::new();
    other.restore(&serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(other.save(), vga.save());
    assert_eq!(other.frame(), vga.frame());
}

#[test]
fn a_state_of_the_wrong_size_is_refused() {
    let mut vga = Vga::new();
    let good = vga.save();
    for size in [0, MEMORY_SIZE - 1, MEMORY_SIZE + 4] {
        let state = State { memory: vec![0; size], ..good.clone() };
        let error = vga.restore(&state).unwrap_err().to_string();
        assert!(error.contains(&size.to_string()) && error.contains("262144"), "{error}");
    }
    let mut state = good.clone();
    state.registers.dac.colours.pop();
    assert!(vga.restore(&state).unwrap_err().to_string().contains("765 bytes"));
    assert_eq!(vga.save(), good);
}

#[test]
fn no_sequence_of_accesses_does_harm() {
    let mut random = Random::new(5);
    for seed in 0..40 {
        let mut vga = in_mode(MODES[seed % MODES.len()]);
        for _ in 0..400 {
            let value = random.below(256) as u8;
            match random.below(8) {
                0..4 => {
                    let port = 0x3b0 + random.below(0x30) as u16;
                    assert_eq!(
                        vga.port_write(port, value),
                        vga.port_read(port).is_some(),
                        "{port:#x}"
                    );
                }
                4 => {
                    let port = [0x3c4, 0x3ce, 0x3d4, 0x3c0][random.below(4) as usize];
                    set(&mut vga, port, random.below(32) as u8, value);
                }
                5 => {
                    let address = random.below(0x2_0100);
                    assert_eq!(vga.write(address, value), vga.peek(address).is_some());
                }
                _ => {
                    let address = random.below(0x2_0100);
                    let peeked = vga.peek(address);
                    assert_eq!(vga.read(address), peeked);
                }
            }
        }
        match vga.frame() {
            Frame::Text(text) => assert!(!text.rows().is_empty()),
            Frame::Graphics(frame) => assert_eq!(frame.pixels.len(), frame.width * frame.height),
        }
        assert!(vga.to_string().lines().count() > 10);
        let mut other = Vga::new();
        other.restore(&vga.save()).unwrap();
        assert_eq!(other.frame(), vga.frame());
    }
}

#[test]
fn a_copy_is_one_byte_after_the_other() {
    let mut random = Random::new(5);
    for mode in [0x03, 0x07, 0x04, 0x12, 0x13] {
        let mut vga = in_mode(mode);
        let window = vga.window().unwrap();
        window.clone().for_each(|at| {
            vga.write(at, random.below(256) as u8);
        });
        for n in 0..60 {
            if n == 40 {
                // A plane that cannot be written.
                set(&mut vga, 0x3c4, 2, 0b1101);
            }
            let mut at =
                || (window.start + random.below(0x8000)) & if n % 3 == 0 { !0 } else { !3 };
            let (from, to) = (at(), at());
            let len = (at() - window.start).min(0x400);
            let mut other = vga.clone();
            vga.copy(from, to, len);
            for place in 0..len {
                let place = if to <= from { place } else { len - 1 - place };
                let byte = other.read(from + place).unwrap_or(crate::devices::OPEN_BUS);
                other.write(to + place, byte);
            }
            assert!(
                vga.save().memory == other.save().memory,
                "mode {mode:x}: {from:x} {to:x} {len:x}"
            );
        }
    }
}
