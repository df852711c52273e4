//! What the firmware sees of the machine: the processor at the moment of a call, memory, devices and disks.

use crate::devices::{Devices, OPEN_BUS};
use crate::disk::Disks;
use crate::memory::Ram;
use crate::x86::registers::{RFLAGS_CF, RFLAGS_IF, RFLAGS_ZF};
use crate::x86::{CpuState, Gpr, Phys, SegOff, SegmentName};

/// The machine, lent to the firmware for one call.
///
/// The processor stands in the firmware's own code, behind the trap and before its IRET: the caller's general
/// registers and segments are in place, and what it pushed (IP, CS, FLAGS) is on the stack.
#[derive(Debug)]
pub struct Pc<'a> {
    /// The processor.
    pub cpu: &'a mut CpuState,
    /// RAM.
    pub ram: &'a Ram,
    /// The devices, whose state is that of the ports.
    pub devices: &'a mut Devices,
    /// The disks.
    pub disks: &'a mut Disks,
}

impl Pc<'_> {
    /// The low 16 bits of `register`: AX, CX and so on.
    #[must_use]
    pub fn word(&self, register: Gpr) -> u16 {
        (self.cpu.get(register) & 0xffff) as u16
    }

    /// Sets the low 16 bits of `register`, and leaves the rest.
    pub fn set_word(&mut self, register: Gpr, value: u16) {
        let register = self.cpu.get_mut(register);
        *register = *register & !0xffff | u64::from(value);
    }

    /// Bits 0 to 7 of `register`: AL, CL and so on.
    #[must_use]
    pub fn low(&self, register: Gpr) -> u8 {
        self.word(register).to_le_bytes()[0]
    }

    /// Bits 8 to 15 of `register`: AH, CH and so on.
    #[must_use]
    pub fn high(&self, register: Gpr) -> u8 {
        self.word(register).to_le_bytes()[1]
    }

    /// Sets bits 0 to 7 of `register`.
    pub fn set_low(&mut self, register: Gpr, value: u8) {
        self.set_word(register, u16::from_le_bytes([value, self.high(register)]));
    }

    /// Sets bits 8 to 15 of `register`.
    pub fn set_high(&mut self, register: Gpr, value: u8) {
        self.set_word(register, u16::from_le_bytes([self.low(register), value]));
    }

    /// The physical address of `offset` in `segment` as its base says: real mode and virtual-8086 mode without
    /// paging, which is where the firmware can be called.
    #[must_use]
    pub fn address(&self, segment: SegmentName, offset: u16) -> Phys {
        Phys(self.cpu.segments.get(segment).base.wrapping_add(offset.into()))
    }

    /// Loads the segment register `name` as real mode does: selector and base; the rest of it stays.
    pub fn set_segment(&mut self, name: SegmentName, selector: u16) {
        let segment = self.cpu.segments.get_mut(name);
        segment.selector = selector;
        segment.base = u64::from(selector) << 4;
    }

    /// The caller's FLAGS, as the IRET will restore them.
    #[must_use]
    pub fn caller_flags(&self) -> u16 {
        self.read_u16(self.caller_flags_at())
    }

    /// Whether the caller has interrupts enabled.
    #[must_use]
    pub fn caller_takes_interrupts(&self) -> bool {
        u64::from(self.caller_flags()) & RFLAGS_IF != 0
    }

    /// Changes the caller's FLAGS.
    pub fn set_caller_flags(&mut self, flags: u16) {
        self.write_u16(self.caller_flags_at(), flags);
    }

    /// Sets or clears CF of the caller: most services report an error by it.
    pub fn set_carry(&mut self, set: bool) {
        self.set_caller_flag(RFLAGS_CF, set);
    }

    /// Sets or clears ZF of the caller.
    pub fn set_zero(&mut self, set: bool) {
        self.set_caller_flag(RFLAGS_ZF, set);
    }

    fn set_caller_flag(&mut self, flag: u64, set: bool) {
        let flag = (flag & 0xffff) as u16;
        let flags = self.caller_flags();
        self.set_caller_flags(if set { flags | flag } else { flags & !flag });
    }

    fn caller_flags_at(&self) -> Phys {
        self.address(SegmentName::Ss, self.word(Gpr::Rsp).wrapping_add(4))
    }

    /// What the IRET will load, as it is on the caller's stack: IP, CS and FLAGS.
    #[must_use]
    pub fn frame(&self) -> [u16; 3] {
        let stack = self.word(Gpr::Rsp);
        let read = |at| self.read_u16(self.address(SegmentName::Ss, stack.wrapping_add(at)));
        [0, 2, 4].map(read)
    }

    /// Puts `frame` back to where it was read from.
    pub fn set_frame(&mut self, frame: [u16; 3]) {
        let stack = self.word(Gpr::Rsp);
        for (at, word) in [0, 2, 4].into_iter().zip(frame) {
            self.write_u16(self.address(SegmentName::Ss, stack.wrapping_add(at)), word);
        }
    }

    /// Where the caller goes on: what the IRET will load into CS:IP.
    #[must_use]
    pub fn return_address(&self) -> SegOff {
        let stack = self.word(Gpr::Rsp);
        let offset = self.read_u16(self.address(SegmentName::Ss, stack));
        let segment = self.read_u16(self.address(SegmentName::Ss, stack.wrapping_add(2)));
        SegOff::new(segment, offset)
    }

    /// Reads memory as the processor would: RAM and video memory; FFh where nothing is.
    pub fn read(&self, at: Phys, data: &mut [u8]) {
        self.read_by(Ram::read, at, data);
    }

    /// The same with address line A20 on.
    pub fn read_behind_a20(&self, at: Phys, data: &mut [u8]) {
        self.read_by(Ram::read_behind_a20, at, data);
    }

    fn read_by(&self, read: impl Fn(&Ram, Phys, &mut [u8]) -> usize, at: Phys, data: &mut [u8]) {
        let mut done = 0;
        while done < data.len() {
            let here = at.offset(done as u64);
            match read(self.ram, here, &mut data[done..]) {
                0 => {
                    // Fills in FFh where no device is.
                    let _ = self.devices.mmio_peek(here, &mut data[done..=done]);
                    done += 1;
                }
                read => done += read,
            }
        }
    }

    /// Writes memory as the processor would; what lands nowhere is dropped.
    pub fn write(&mut self, at: Phys, data: &[u8]) {
        self.write_by(Ram::write, at, data);
    }

    /// The same with address line A20 on.
    pub fn write_behind_a20(&mut self, at: Phys, data: &[u8]) {
        self.write_by(Ram::write_behind_a20, at, data);
    }

    fn write_by(&mut self, write: impl Fn(&Ram, Phys, &[u8]) -> usize, at: Phys, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let here = at.offset(done as u64);
            match write(self.ram, here, &data[done..]) {
                0 => {
                    let _ = self.devices.mmio_write(here, &data[done..=done]);
                    done += 1;
                }
                written => done += written,
            }
        }
    }

    /// The byte at `at`.
    #[must_use]
    pub fn read_u8(&self, at: Phys) -> u8 {
        let mut data = [0];
        self.read(at, &mut data);
        data[0]
    }

    /// The little-endian word at `at`.
    #[must_use]
    pub fn read_u16(&self, at: Phys) -> u16 {
        let mut data = [0; 2];
        self.read(at, &mut data);
        u16::from_le_bytes(data)
    }

    /// The little-endian double word at `at`.
    #[must_use]
    pub fn read_u32(&self, at: Phys) -> u32 {
        let mut data = [0; 4];
        self.read(at, &mut data);
        u32::from_le_bytes(data)
    }

    /// Writes a byte.
    pub fn write_u8(&mut self, at: Phys, value: u8) {
        self.write(at, &[value]);
    }

    /// Writes a little-endian word.
    pub fn write_u16(&mut self, at: Phys, value: u16) {
        self.write(at, &value.to_le_bytes());
    }

    /// Writes a little-endian double word.
    pub fn write_u32(&mut self, at: Phys, value: u32) {
        self.write(at, &value.to_le_bytes());
    }

    /// Reads a port, as the processor would; FFh where nothing is.
    pub fn port_read(&mut self, port: u16) -> u8 {
        self.devices.port_read(port, 1).map_or(OPEN_BUS, |value| (value & 0xff) as u8)
    }

    /// Writes a port. The guest's output waits in the device until the machine takes it, and of address line A20
    /// the machine learns afterwards.
    pub fn port_write(&mut self, port: u16, value: u8) {
        let _ = self.devices.port_write(port, 1, value.into());
    }

    /// The answer to a function that there is not: CF, and 86h in AH.
    pub fn unsupported(&mut self) {
        self.fail(0x86);
    }

    /// The answer to a function that fails: CF, and the code in AH.
    pub fn fail(&mut self, code: u8) {
        self.set_high(Gpr::Rax, code);
        self.set_carry(true);
    }

    /// The answer to one that succeeds: no CF, and 0 in AH.
    pub fn succeed(&mut self) {
        self.set_high(Gpr::Rax, 0);
        self.set_carry(false);
    }

    /// Goes on at `offset` in the ROM instead of behind the trap.
    pub fn go_to(&mut self, offset: u16) {
        self.cpu.rip = offset.into();
    }

    /// The pointer in the interrupt vector table at `vector`.
    #[must_use]
    pub fn vector(&self, vector: u8) -> SegOff {
        let entry = self.read_u32(Phys(u64::from(vector) * 4));
        SegOff::new((entry >> 16) as u16, (entry & 0xffff) as u16)
    }
}
