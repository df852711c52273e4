//! Pictures that guests make by the VGA's registers, and what a debugger sees of video memory meanwhile.
#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::samples::sample;
use common::{boot, halted, read, record, write};
use stepvisor::devices::frame::{Frame, GraphicsFrame, Rgb, TextFrame};
use stepvisor::machine::{Machine, StopReason};
use stepvisor::ui::raster::Raster;
use stepvisor::x86::{Linear, Phys};

const GRAPHICS_MEMORY: u64 = 0xa_0000;

/// The shipped guest `name`, run to its end.
fn at_its_end(name: &str) -> Machine {
    let mut machine = sample(name).machine();
    assert!(matches!(machine.run(), StopReason::Halted { .. }), "{name}");
    machine
}

fn graphics(machine: &Machine) -> GraphicsFrame {
    let Frame::Graphics(frame) = machine.frame() else { panic!("not graphics") };
    frame
}

fn text(machine: &Machine) -> TextFrame {
    let Frame::Text(frame) = machine.frame() else { panic!("not text") };
    frame
}

/// The picture of `name` is `width` by `height`, and each pixel has the colour that `colour` says.
fn assert_picture(
    name: &str,
    (width, height): (usize, usize),
    colour: impl Fn(usize, usize) -> Rgb,
) {
    let frame = graphics(&at_its_end(name));
    assert_eq!((frame.width, frame.height), (width, height), "{name}");
    let raster = Raster::of(&Frame::Graphics(frame));
    for y in 0..height {
        for x in 0..width {
            assert_eq!(raster.colour(x, y), colour(x, y), "{name}, pixel {x},{y}");
        }
    }
}

/// 6 bits a component, as the DAC has them.
fn rgb(colour: Rgb) -> Rgb {
    colour.map(|part| part << 2 | part >> 4)
}

const BLACK: Rgb = [0; 3];

/// The 16 colours of the BIOS.
fn basic(colour: usize) -> Rgb {
    stepvisor::devices::frame::VGA_PALETTE[colour]
}

#[test]
fn mode_13h_shows_squares_in_256_colours() {
    assert_picture("mode13h", (320, 200), |x, y| match (x / 8, y / 8) {
        (red @ 0..16, green @ 0..16) => {
            let (red, green) = (red as u8 * 4, green as u8 * 4);
            rgb([red, green, red & green])
        }
        _ => BLACK,
    });
}

#[test]
fn unchained_stripes_are_on_the_second_page() {
    let colours = [[0, 63, 0], [63, 0, 0], [0, 0, 63], [63, 63, 63]];
    assert_picture("modex", (320, 240), |x, y| match y {
        0..16 => rgb(colours[x % 4]),
        16..32 if x % 4 >= 2 => rgb([63, 63, 0]),
        _ => BLACK,
    });
}

#[test]
fn write_modes_make_bars_and_dots() {
    assert_picture("planar", (640, 480), |x, y| match (x, y) {
        (0..448, 0..16) => basic(1 + x / 64),
        (0..448, 16..32) => basic(14 - x / 64),
        (0..448, 32) if x % 2 == 0 => basic(15),
        (0..8, 50) => basic(if x % 2 == 0 { 4 } else { 11 }),
        _ => BLACK,
    });
}

#[test]
fn cga_rows_are_in_two_banks() {
    let colours = [BLACK, basic(11), basic(13), basic(15)];
    assert_picture("cga", (320, 200), |x, y| match y {
        0..20 => colours[x / 80],
        20..40 if y % 2 == 0 => colours[3 - x / 80],
        _ => BLACK,
    });
}

#[test]
fn pixels_of_the_bios_are_in_all_planes() {
    assert_picture("mode12h", (640, 480), |x, y| match (x, y) {
        (0..120, _) if x == y => basic(15),
        (0..64, 202) if x % 2 == 0 => basic(15 - x / 4),
        (0..64, 200..204) => basic(x / 4),
        (320, 240) => basic(10),
        _ => BLACK,
    });
}

#[test]
fn a_cga_has_four_colours_of_a_palette_and_a_background() {
    let colours = [1, 10, 12, 14].map(basic);
    assert_picture("fourcolours", (320, 200), |x, y| match (x, y) {
        (0..64, 0..4) => colours[x / 16],
        _ => colours[0],
    });
}

#[test]
fn a_line_that_is_inverted_twice_is_as_it_was() {
    assert_picture("twocolours", (640, 200), |x, y| match (x, y) {
        (0..128, 0..64) if (x / 8 + y / 8) % 2 == 0 => basic(15),
        _ => BLACK,
    });
}

#[test]
fn an_ega_has_16_of_64_colours() {
    let mut palette: Vec<u8> = [0x00, 0x08, 0x01, 0x09, 0x08, 0x01, 0x09, 0x39].repeat(2);
    palette[1] = 0x3e;
    let colour = |number: usize| {
        let part = |bit: u8| {
            let (high, low) = (palette[number] >> bit & 1, palette[number] >> (bit + 3) & 1);
            high * 42 + low * 21
        };
        rgb([part(2), part(1), part(0)])
    };
    assert_picture("ega", (640, 350), |x, y| match (x, y) {
        (0..64, 340 | 341) => colour(x / 4),
        (319, 199) => colour(10),
        _ => BLACK,
    });
}

#[test]
fn the_cursor_is_where_the_registers_say() {
    let frame = text(&at_its_end("crtc"));
    let cursor = frame.cursor.unwrap();
    assert_eq!((cursor.row, cursor.column, cursor.first_line, cursor.last_line), (1, 10, 0, 15));
    assert!(frame.rows().iter().all(|row| (row.first_line, row.lines) == (0, 16)));
}

#[test]
fn colours_of_text_can_be_changed_in_both_places() {
    let frame = text(&at_its_end("colours"));
    assert_eq!((frame.palette[4], frame.palette[5]), (rgb([63, 21, 0]), rgb([63, 30, 45])));
    assert!(!frame.blink && frame.palette[6] == basic(6));
}

#[test]
fn a_guests_own_font_is_in_the_picture() {
    let raster = Raster::of(&at_its_end("font").frame());
    let line = |cell: usize, y: usize| -> Vec<bool> {
        (0..8).map(|x| raster.colour(cell * 9 + x, y) != BLACK).collect()
    };
    let chess = [true, false].repeat(4);
    assert_eq!((line(1, 0), line(1, 1)), (chess.clone(), chess.iter().map(|it| !it).collect()));
    assert_eq!(
        (line(2, 0), line(3, 5)),
        (vec![true; 8], [&[true][..], &[false; 6], &[true]].concat())
    );
}

#[test]
fn a_font_that_the_bios_loads_is_in_the_picture() {
    let machine = at_its_end("ownfont");
    let frame = text(&machine);
    assert_eq!(frame.rows().len(), 50);
    let raster = Raster::of(&Frame::Text(frame));
    let face = [0x3c, 0x42, 0xa5, 0x81, 0xa5, 0x99, 0x42, 0x3c];
    for (y, bits) in face.into_iter().enumerate() {
        let line =
            (0..8).fold(0, |line, x| line << 1 | u8::from(raster.colour(x, 48 * 8 + y) != BLACK));
        assert_eq!(line, bits, "line {y}");
    }
}

#[test]
fn colours_of_the_dac_are_those_that_are_shown() {
    let frame = text(&at_its_end("dac"));
    assert_eq!((frame.palette[7], frame.palette[4]), (rgb([63, 32, 0]), basic(4)));
    // Blinking off and page 0 again, but the border and a colour are the guest's.
    let frame = text(&at_its_end("palette"));
    assert_eq!((frame.blink, frame.palette[7]), (false, rgb([63, 32, 16])));
}

/// Code that puts video memory at A0000 with four planes, after which `then` runs with DX = 3CEh and ES = A000h.
fn planar(then: &[u8]) -> Machine {
    let prologue: [&[u8]; 4] = [
        &[0xba, 0xce, 0x03],       // mov dx, 0x3ce
        &[0xb8, 0x05, 0x00, 0xef], // mov ax, 0x0005; out dx, ax
        &[0xb8, 0x06, 0x05, 0xef], // mov ax, 0x0506; out dx, ax
        &[0xba, 0xc4, 0x03, 0xb8, 0x04, 0x06, 0xef, 0xb8, 0x02, 0x0f, 0xef], // sequencer: planes, all four
    ];
    let rest: [&[u8]; 2] = [
        &[0xba, 0xce, 0x03],             // mov dx, 0x3ce
        &[0xb8, 0x00, 0xa0, 0x8e, 0xc0], // mov ax, 0xa000; mov es, ax
    ];
    boot(&[prologue.concat(), rest.concat(), then.to_vec()].concat())
}

#[test]
fn a_debugger_reads_video_memory_without_loading_the_latches() {
    let mut machine = planar(&[
        0x26, 0xc6, 0x06, 0x00, 0x00, 0x5a, // mov byte [es:0], 0x5a
        0x26, 0xa0, 0x00, 0x00, // mov al, [es:0]: the latches are 5a
        0xb8, 0x05, 0x01, 0xef, // mov ax, 0x0105; out dx, ax: write mode 1
        0xf4, // hlt, where the debugger looks
        0x26, 0xc6, 0x06, 0x01, 0x00, 0x00, // mov byte [es:1], 0: the latches
        0xfa, 0xf4, // cli; hlt
    ]);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(read(&machine, GRAPHICS_MEMORY, 1), [0x5a]);
    let other = read(&machine, GRAPHICS_MEMORY + 0x8001, 1);
    assert_ne!(other, [0x5a]);
    let view = machine.vga().to_string();
    assert!(view.contains("latches    5A 5A 5A 5A"), "{view}");
    assert_eq!(machine.vga().to_string(), view);
}

#[test]
fn a_debugger_writes_video_memory_as_the_processor_would() {
    let mut machine = planar(&[0xb8, 0x08, 0x0f, 0xef, 0xfa, 0xf4]); // bit mask 0f; cli; hlt
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    write(&mut machine, GRAPHICS_MEMORY + 0x9000, &[0xff]);
    assert_eq!(read(&machine, GRAPHICS_MEMORY + 0x9000, 1), [0x0f]);
}

#[test]
fn queued_writes_stay_in_order_with_the_registers() {
    // Each byte to the plane of its own: map mask 1, 2, 4, 8 between the writes.
    let mut code = Vec::new();
    for plane in 0..4u8 {
        code.extend([0xba, 0xc4, 0x03, 0xb8, 0x02, 1 << plane, 0xef]); // the map mask
        code.extend([0x26, 0xc6, 0x06, 0x00, 0x90, 0x11 << plane]); // mov byte [es:0x9000], 11 << plane
    }
    code.extend([0x26, 0xa0, 0x00, 0x90, 0xfa, 0xf4]); // mov al, [es:0x9000]; cli; hlt
    let mut machine = planar(&code);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    let view = machine.vga().to_string();
    assert!(view.contains("latches    11 22 44 88"), "{view}");
}

#[test]
fn where_video_memory_was_nothing_is() {
    let at_b8000 = [0xb8, 0x00, 0xb8, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x00, 0x41]; // mov ds; mov byte [0], 0x41
    let mut machine = planar(&[&at_b8000[..], &[0xfa, 0xf4]].concat());
    let heard = record(&mut machine);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0].contains("0x41 (1 byte) to address 0xb8000, where no device is"),
        "{notices:?}"
    );
    assert_eq!(machine.read_phys(Phys(0xb_8000), &mut [0]), 0);
    assert_eq!(machine.read_linear(Linear(GRAPHICS_MEMORY), &mut [0]), 1);
    // And the other way round.
    machine.reset().unwrap();
    assert_eq!(machine.read_phys(Phys(0xb_8000), &mut [0]), 1);
    assert_eq!(machine.read_phys(Phys(GRAPHICS_MEMORY), &mut [0]), 0);
}

#[test]
fn the_ports_of_the_other_monitor_are_nobodys() {
    // mov dx, 0x3b4; in al, dx; mov dx, 0x3d4; in al, dx; cli; hlt
    let mut machine = boot(&[0xba, 0xb4, 0x03, 0xec, 0xba, 0xd4, 0x03, 0xec, 0xfa, 0xf4]);
    let heard = record(&mut machine);
    assert_eq!(machine.run(), halted("0000:7C0A"));
    let notices = heard.borrow().notices.clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("port 0x03b4"), "{notices:?}");
}

#[test]
fn a_step_over_video_memory_in_planes_is_one_instruction() {
    let code = [
        0x26, 0xc6, 0x06, 0x00, 0x90, 0x81, // mov byte [es:0x9000], 0x81
        0x26, 0xa0, 0x00, 0x90, // mov al, [es:0x9000]
        0xb8, 0x05, 0x01, 0xef, // write mode 1
        0xbe, 0x00, 0x90, 0xbf, 0x00, 0x91, 0xb9, 0x04, 0x00, // si, di, cx = 4
        0x06, 0x1f, 0xf3, 0xa4, // push es; pop ds; rep movsb
        0xfa, 0xf4,
    ];
    let mut free = planar(&code);
    assert!(matches!(free.run(), StopReason::Halted { .. }));
    let mut stepped = planar(&code);
    let stop = common::step_to_end(&mut stepped, 100);
    assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
    assert_eq!(read(&stepped, GRAPHICS_MEMORY + 0x9100, 1), [0x81]);
    assert_eq!(stepped.vga().to_string(), free.vga().to_string());
    assert_eq!(stepped.frame(), free.frame());
}
