//! The pair of interrupt controllers against a model of two data sheets' worth of them (Intel 231468): cascade,
//! automatic end of interrupt, special mask mode, polling, spurious interrupts; and the ports where nothing is.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::devices;
use crate::devices::pic::Pics;

/// One 8259A, edge triggered.
#[derive(Clone, Debug, Default)]
struct Sheet {
    levels: u8,
    /// Rose, and were not acknowledged since.
    rose: u8,
    mask: u8,
    service: u8,
    /// The line of the highest priority.
    first: u8,
    automatic: bool,
    rotates: bool,
    special_mask: bool,
}

impl Sheet {
    fn line(&mut self, line: u8, high: bool) {
        let bit = 1 << line;
        if high && self.levels & bit == 0 {
            self.rose |= bit;
        }
        if high {
            self.levels |= bit;
        } else {
            self.levels &= !bit;
            self.rose &= !bit;
        }
    }

    fn by_priority(&self) -> impl Iterator<Item = u8> + use<> {
        let first = self.first;
        (0..8).map(move |behind| (first + behind) % 8)
    }

    fn request(&self) -> Option<u8> {
        let served = |line: u8| self.service >> line & 1 == 1;
        // "Special Mask Mode": a masked line in service holds back no other.
        let holds = |line: u8| served(line) && !(self.special_mask && self.mask >> line & 1 == 1);
        let waits = |line: u8| (self.rose & !self.mask) >> line & 1 == 1 && !served(line);
        self.by_priority().take_while(|line| !holds(*line)).find(|line| waits(*line))
    }

    fn acknowledge(&mut self) -> Option<u8> {
        let line = self.request()?;
        self.rose &= !(1 << line);
        if !self.automatic {
            self.service |= 1 << line;
        } else if self.rotates {
            self.first = (line + 1) % 8;
        }
        Some(line)
    }

    fn command(&mut self, ocw2: u8) {
        let highest = self.by_priority().find(|line| self.service >> line & 1 == 1);
        let named = ocw2 & 7;
        match ocw2 >> 5 {
            0b001 => self.service &= !highest.map_or(0, |line| 1 << line),
            0b011 => self.service &= !(1 << named),
            0b101 => {
                if let Some(line) = highest {
                    self.service &= !(1 << line);
                    self.first = (line + 1) % 8;
                }
            }
            0b111 => {
                self.service &= !(1 << named);
                self.first = (named + 1) % 8;
            }
            0b110 => self.first = (named + 1) % 8,
            0b100 => self.rotates = true,
            0b000 => self.rotates = false,
            _ => {}
        }
    }
}

/// Both, the second at line 2 of the first.
#[derive(Debug)]
struct Pair([Sheet; 2]);

impl Pair {
    fn settle(&mut self) {
        let high = self.0[1].request().is_some();
        self.0[0].line(2, high);
    }

    /// The vector; a request that is gone gives that of line 7.
    fn acknowledge(&mut self) -> u8 {
        let vector = match self.0[0].acknowledge() {
            Some(2) => {
                let line = self.0[1].acknowledge();
                // The second's output falls between its requests.
                self.0[0].line(2, false);
                0x70 + line.unwrap_or(7)
            }
            line => 0x20 + line.unwrap_or(7),
        };
        self.settle();
        vector
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Line(u8, bool),
    Mask(usize, u8),
    /// Operation command word 2.
    Command(usize, u8),
    SpecialMask(usize, bool),
    Poll(usize),
    Acknowledge,
    /// All of ICW1 to ICW4 again, with automatic end of interrupt or without.
    Initialize(usize, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let chip = 0usize..2;
    prop_oneof![
        10 => (select(vec![0u8, 1, 3, 4, 6, 7, 8, 9, 12, 14, 15]), any::<bool>())
            .prop_map(|(line, high)| Event::Line(line, high)),
        2 => (chip.clone(), any::<u8>(), any::<u8>()).prop_map(|(chip, one, two)| Event::Mask(chip, one & two)),
        6 => (chip.clone(), 0u8..8, 0u8..8)
            .prop_map(|(chip, command, line)| Event::Command(chip, command << 5 | line)),
        1 => (chip.clone(), any::<bool>()).prop_map(|(chip, on)| Event::SpecialMask(chip, on)),
        1 => chip.clone().prop_map(Event::Poll),
        6 => Just(Event::Acknowledge),
        1 => (chip, any::<bool>()).prop_map(|(chip, automatic)| Event::Initialize(chip, automatic)),
    ]
}

fn initialize(pics: &mut Pics, chip: usize, automatic: bool) {
    let second = chip == 1;
    let icw4 = if automatic { 0x03 } else { 0x01 };
    pics.write(second, 0, 0x11);
    for value in [[0x20, 0x04, icw4], [0x70, 0x02, icw4]][chip] {
        pics.write(second, 1, value);
    }
}

proptest! {
    #[test]
    fn the_pair_cascades_ends_and_polls_as_the_data_sheet_says(events in vec(event(), 1..120)) {
        let mut pics = Pics::default();
        let mut pair = Pair([Sheet::default(), Sheet::default()]);
        for chip in 0..2 {
            initialize(&mut pics, chip, false);
        }
        for event in events {
            match event {
                Event::Line(line, high) => {
                    pics.set_line(line, high);
                    pair.0[usize::from(line / 8)].line(line % 8, high);
                }
                Event::Mask(chip, mask) => {
                    pics.write(chip == 1, 1, mask);
                    pair.0[chip].mask = mask;
                }
                Event::Command(chip, ocw2) => {
                    pics.write(chip == 1, 0, ocw2);
                    pair.0[chip].command(ocw2);
                }
                Event::SpecialMask(chip, on) => {
                    pics.write(chip == 1, 0, if on { 0x68 } else { 0x48 });
                    pair.0[chip].special_mask = on;
                }
                Event::Poll(chip) => {
                    pics.write(chip == 1, 0, 0x0c);
                    let line = pair.0[chip].acknowledge();
                    let polled = pics.read(chip == 1, 0);
                    prop_assert_eq!(polled, line.map_or(0, |line| 0x80 | line));
                }
                Event::Acknowledge => prop_assert_eq!(pics.acknowledge(), pair.acknowledge()),
                Event::Initialize(chip, automatic) => {
                    initialize(&mut pics, chip, automatic);
                    let levels = pair.0[chip].levels;
                    pair.0[chip] = Sheet { levels, automatic, ..Sheet::default() };
                }
            }
            pair.settle();
            prop_assert_eq!(pics.interrupt(), pair.0[0].request().is_some(), "{:?}", pair);
            for (chip, sheet) in pair.0.iter().enumerate() {
                let second = chip == 1;
                pics.write(second, 0, 0x0b);
                prop_assert_eq!(pics.read(second, 0), sheet.service, "{:?}", sheet);
                pics.write(second, 0, 0x0a);
                prop_assert_eq!(pics.read(second, 0), sheet.rose, "{:?}", sheet);
                prop_assert_eq!(pics.read(second, 1), sheet.mask);
            }
        }
    }

    #[test]
    fn ports_of_parts_that_are_not_there_belong_to_nobody_whatever_was_written(
        writes in vec((select(ABSENT.to_vec()), select(vec![1u8, 2, 4]), any::<u32>()), 1..40),
    ) {
        let mut devices = devices();
        let before = devices.save();
        for (port, size, value) in writes {
            prop_assert_eq!(devices.port_write(port, size, value), None, "{:x}", port);
        }
        for port in ABSENT {
            for size in [1, 2, 4] {
                prop_assert_eq!(devices.port_read(port, size), None, "{:x}", port);
            }
        }
        prop_assert!(devices.save() == before);
    }
}

/// DMA, ATA, the floppy controller, the printers, sound, PCI configuration by both mechanisms.
const ABSENT: [u16; 22] = [
    0x00, 0x08, 0xc0, 0xd0, 0x170, 0x172, 0x174, 0x1f0, 0x1f2, 0x1f4, 0x220, 0x278, 0x330, 0x374,
    0x378, 0x388, 0x3f0, 0x3f4, 0xcf8, 0xcfa, 0xcfc, 0xc000,
];
