//! Conversions between KVM's register structures and [`crate::x86`].

use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs, kvm_xsave};

use crate::x86::{Access, CpuState, DescriptorTable, FpuState, Segment, Segments};

/// The processor state that KVM_GET_REGS and KVM_GET_SREGS report.
pub(super) fn cpu_from_kvm(regs: &kvm_regs, sregs: &kvm_sregs) -> CpuState {
    CpuState {
        gpr: [
            regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
            regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
        ],
        rip: regs.rip,
        rflags: regs.rflags,
        segments: Segments {
            cs: segment_from_kvm(&sregs.cs),
            ss: segment_from_kvm(&sregs.ss),
            ds: segment_from_kvm(&sregs.ds),
            es: segment_from_kvm(&sregs.es),
            fs: segment_from_kvm(&sregs.fs),
            gs: segment_from_kvm(&sregs.gs),
        },
        ldtr: segment_from_kvm(&sregs.ldt),
        tr: busy(segment_from_kvm(&sregs.tr)),
        gdtr: DescriptorTable { base: sregs.gdt.base, limit: sregs.gdt.limit },
        idtr: DescriptorTable { base: sregs.idt.base, limit: sregs.idt.limit },
        cr0: sregs.cr0,
        cr2: sregs.cr2,
        cr3: sregs.cr3,
        cr4: sregs.cr4,
        cr8: sregs.cr8,
        efer: sregs.efer,
        apic_base: sregs.apic_base,
    }
}

/// The argument of KVM_SET_REGS for `cpu`.
pub(super) fn regs_to_kvm(cpu: &CpuState) -> kvm_regs {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = cpu.gpr;
    kvm_regs {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rsp,
        rbp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rip: cpu.rip,
        rflags: cpu.rflags,
    }
}

/// The argument of KVM_SET_SREGS for `cpu`, with no interrupt pending.
pub(super) fn sregs_to_kvm(cpu: &CpuState) -> kvm_sregs {
    let table = |table: &DescriptorTable| kvm_dtable {
        base: table.base,
        limit: table.limit,
        ..Default::default()
    };
    kvm_sregs {
        cs: segment_to_kvm(&cpu.segments.cs),
        ds: segment_to_kvm(&cpu.segments.ds),
        es: segment_to_kvm(&cpu.segments.es),
        fs: segment_to_kvm(&cpu.segments.fs),
        gs: segment_to_kvm(&cpu.segments.gs),
        ss: segment_to_kvm(&cpu.segments.ss),
        tr: segment_to_kvm(&cpu.tr),
        ldt: segment_to_kvm(&cpu.ldtr),
        gdt: table(&cpu.gdtr),
        idt: table(&cpu.idtr),
        cr0: cpu.cr0,
        cr2: cpu.cr2,
        cr3: cpu.cr3,
        cr4: cpu.cr4,
        cr8: cpu.cr8,
        efer: cpu.efer,
        apic_base: cpu.apic_base,
        interrupt_bitmap: [0; 4],
    }
}

/// A task register that is loaded has a busy segment, whatever a KVM keeps there.
fn busy(mut tr: Segment) -> Segment {
    if !tr.access.unusable && matches!(tr.access.kind, 1 | 9) {
        tr.access.kind |= TASK_BUSY;
    }
    tr
}

/// Type bit of a task-state segment: busy.
pub(super) const TASK_BUSY: u8 = 1 << 1;

fn segment_from_kvm(segment: &kvm_segment) -> Segment {
    Segment {
        selector: segment.selector,
        base: segment.base,
        limit: segment.limit,
        access: Access {
            kind: segment.type_,
            code_or_data: segment.s != 0,
            dpl: segment.dpl,
            present: segment.present != 0,
            available: segment.avl != 0,
            long: segment.l != 0,
            default_big: segment.db != 0,
            granularity: segment.g != 0,
            unusable: segment.unusable != 0,
        },
    }
}

fn segment_to_kvm(segment: &Segment) -> kvm_segment {
    let Segment { selector, base, limit, access } = *segment;
    kvm_segment {
        selector,
        base,
        limit,
        type_: access.kind & 0xf,
        present: u8::from(access.present),
        dpl: access.dpl & 3,
        db: u8::from(access.default_big),
        s: u8::from(access.code_or_data),
        l: u8::from(access.long),
        g: u8::from(access.granularity),
        avl: u8::from(access.available),
        unusable: u8::from(access.unusable),
        padding: 0,
    }
}

/// Offset of XSTATE_BV in an XSAVE area, in 32-bit words (SDM vol. 1, 13.4.2).
const XSTATE_BV: usize = 512 / 4;
/// XSTATE_BV bits of x87 and SSE.
const X87_AND_SSE: u32 = 0b11;
/// Offsets in the legacy region, in bytes (SDM vol. 1, table 10-2).
mod fxsave {
    pub const FCW: usize = 0;
    pub const FSW: usize = 2;
    pub const FTW: usize = 4;
    pub const FOP: usize = 6;
    pub const FIP: usize = 8;
    pub const FCS: usize = 12;
    pub const FDP: usize = 16;
    pub const FDS: usize = 20;
    pub const MXCSR: usize = 24;
    pub const ST0: usize = 32;
    pub const XMM0: usize = 160;
    /// Bytes from one register to the next, both ST and XMM.
    pub const STRIDE: usize = 16;
}

/// x87 and SSE of the XSAVE area that KVM_GET_XSAVE reports.
pub(super) fn fpu_from_kvm(xsave: &kvm_xsave) -> FpuState {
    let mut legacy = [0u8; 512];
    for (bytes, word) in legacy.as_chunks_mut().0.iter_mut().zip(xsave.region) {
        *bytes = word.to_le_bytes();
    }
    let word = |at: usize| u16::from_le_bytes([legacy[at], legacy[at + 1]]);
    let dword = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
    let mut fpu = FpuState {
        fcw: word(fxsave::FCW),
        fsw: word(fxsave::FSW),
        ftw: legacy[fxsave::FTW],
        fop: word(fxsave::FOP),
        fip: dword(fxsave::FIP),
        fcs: word(fxsave::FCS),
        fdp: dword(fxsave::FDP),
        fds: word(fxsave::FDS),
        mxcsr: dword(fxsave::MXCSR),
        ..FpuState::default()
    };
    for (index, st) in fpu.st.iter_mut().enumerate() {
        let at = fxsave::ST0 + index * fxsave::STRIDE;
        st.copy_from_slice(&legacy[at..at + 10]);
    }
    for (index, xmm) in fpu.xmm.iter_mut().enumerate() {
        let mut bytes = [0; 16];
        let at = fxsave::XMM0 + index * fxsave::STRIDE;
        bytes.copy_from_slice(&legacy[at..at + 16]);
        *xmm = u128::from_le_bytes(bytes);
    }
    fpu
}

/// Puts `fpu` into `xsave`, leaving the other components (AVX and so on) as they are.
pub(super) fn fpu_to_kvm(fpu: &FpuState, xsave: &mut kvm_xsave) {
    let mut legacy = [0u8; 512];
    for (bytes, word) in legacy.as_chunks_mut().0.iter_mut().zip(xsave.region) {
        *bytes = word.to_le_bytes();
    }
    let mut put = |at: usize, bytes: &[u8]| legacy[at..at + bytes.len()].copy_from_slice(bytes);
    put(fxsave::FCW, &fpu.fcw.to_le_bytes());
    put(fxsave::FSW, &fpu.fsw.to_le_bytes());
    put(fxsave::FTW, &[fpu.ftw, 0]);
    put(fxsave::FOP, &fpu.fop.to_le_bytes());
    put(fxsave::FIP, &fpu.fip.to_le_bytes());
    put(fxsave::FCS, &fpu.fcs.to_le_bytes());
    put(fxsave::FDP, &fpu.fdp.to_le_bytes());
    put(fxsave::FDS, &fpu.fds.to_le_bytes());
    put(fxsave::MXCSR, &fpu.mxcsr.to_le_bytes());
    for (index, st) in fpu.st.iter().enumerate() {
        put(fxsave::ST0 + index * fxsave::STRIDE, st);
    }
    for (index, xmm) in fpu.xmm.iter().enumerate() {
        put(fxsave::XMM0 + index * fxsave::STRIDE, &xmm.to_le_bytes());
    }
    for (word, bytes) in xsave.region.iter_mut().zip(legacy.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    // A component whose bit is clear is in its initial state whatever its bytes say.
    xsave.region[XSTATE_BV] |= X87_AND_SSE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_registers_keep_their_names() {
        let regs =
            kvm_regs { rax: 1, rbx: 2, rcx: 3, rdx: 4, rbp: 5, rsp: 6, ..Default::default() };
        let cpu = cpu_from_kvm(&regs, &kvm_sregs::default());
        use crate::x86::Gpr;
        let get = |gpr| cpu.get(gpr);
        assert_eq!([get(Gpr::Rax), get(Gpr::Rbx), get(Gpr::Rcx)], [1, 2, 3]);
        assert_eq!([get(Gpr::Rdx), get(Gpr::Rbp), get(Gpr::Rsp)], [4, 5, 6]);
        assert_eq!(regs_to_kvm(&cpu), regs);
    }

    #[test]
    fn special_registers_survive_the_round_trip() {
        let code = kvm_segment {
            base: 0x7c00,
            limit: 0xffff,
            selector: 0x7c0,
            type_: 11,
            present: 1,
            dpl: 3,
            db: 1,
            s: 1,
            l: 1,
            g: 1,
            avl: 1,
            unusable: 1,
            padding: 0,
        };
        let sregs = kvm_sregs {
            cs: code,
            tr: kvm_segment { selector: 8, type_: 9, ..code },
            gdt: kvm_dtable { base: 1, limit: 2, ..Default::default() },
            idt: kvm_dtable { base: 3, limit: 4, ..Default::default() },
            cr0: 5,
            cr2: 6,
            cr3: 7,
            cr4: 8,
            cr8: 9,
            efer: 10,
            apic_base: 11,
            ..Default::default()
        };
        assert_eq!(sregs_to_kvm(&cpu_from_kvm(&kvm_regs::default(), &sregs)), sregs);
    }

    #[test]
    fn x87_and_sse_survive_the_round_trip() {
        let fpu = FpuState {
            fcw: 0x37f,
            fsw: 0x3800,
            ftw: 0x80,
            fop: 0x7ff,
            fip: 0x1234_5678,
            fcs: 8,
            fdp: 0x9abc_def0,
            fds: 16,
            st: std::array::from_fn(|i| [i as u8 + 1; 10]),
            mxcsr: 0x1f80,
            xmm: std::array::from_fn(|i| 0x1111_2222_3333_4444_5555_6666_7777_8888 + i as u128),
        };
        let mut xsave = kvm_xsave::default();
        fpu_to_kvm(&fpu, &mut xsave);
        assert_eq!(fpu_from_kvm(&xsave), fpu);
        assert_eq!(xsave.region[XSTATE_BV], X87_AND_SSE);
    }
}
