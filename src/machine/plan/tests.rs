//! Plans for the three KVMs as they were measured.

use super::*;
use crate::kvm::probe::{ByMode, Endless, HltStep, Int3, IntStep, Lzcnt, Refused, StepFacts};

fn all<T: Copy>(value: T) -> ByMode<T> {
    ByMode { real: value, protected: value, long: value, user: value }
}

/// kvm-intel with EPT.
fn intel() -> HostFacts {
    HostFacts {
        int3_real: Int3::Exits,
        int3_protected: Int3::Exits,
        execute_breakpoints: all(true),
        resume_flag_passes: true,
        data_breakpoints: all(true),
        data_breakpoint_in_rep: Some(RepSteps::ByIteration),
        step: StepFacts {
            exact: all(true),
            lost_by_exit: true,
            hlt: HltStep::Hlt,
            out: ExitRip::At,
            out_traps: true,
            mmio_write: ExitRip::Past,
            mmio_write_traps: false,
            rep: RepSteps::ByIteration,
            load_ss_shadow: true,
            int_real: IntStep::RunsHandler,
            int_shows_flag: true,
            pushf_shows_flag: true,
            guest_trap_lost: true,
        },
        general_detect: true,
        syscall_changes_ring: true,
        real_mode_idt_limit: true,
        paging32: true,
        shutdown_resets: false,
        endless: Endless::default(),
        refused: Refused::default(),
        lzcnt: Lzcnt::Counts,
    }
}

/// kvm-amd inside an emulator that stops behind whole repetitions.
fn amd() -> HostFacts {
    HostFacts { data_breakpoint_in_rep: Some(RepSteps::Whole), shutdown_resets: true, ..intel() }
}

/// kvm_pvm, a software KVM.
fn software() -> HostFacts {
    let not_in_ring3 = ByMode { user: false, ..all(true) };
    HostFacts {
        execute_breakpoints: not_in_ring3,
        data_breakpoints: all(false),
        data_breakpoint_in_rep: None,
        step: StepFacts { exact: not_in_ring3, out: ExitRip::Past, ..intel().step },
        endless: Endless { int_80h_real: true, vmcall: true, vmmcall: true },
        ..intel()
    }
}

fn hosts() -> [HostFacts; 3] {
    [intel(), amd(), software()]
}

fn real(places: &[Place]) -> Situation {
    Situation { places: places.to_vec(), ..Situation::plain(CpuMode::Real) }
}

fn breakpoints(count: u64) -> BreakpointSet {
    let mut set = BreakpointSet::default();
    (0x7c00..).take(count as usize).for_each(|addr| set.insert(Linear(addr)));
    set
}

fn watching(addr: u64, len: u64, kind: WatchKind) -> BreakpointSet {
    let mut set = BreakpointSet::default();
    set.insert_watch(Watch { addr: Linear(addr), len, kind });
    set
}

/// How many debug registers a plan arms; nothing if it steps.
fn armed(plan: &DebugPlan) -> Option<usize> {
    match plan.drive {
        Drive::Free(slots) => Some(slots.armed.iter().flatten().count()),
        Drive::StepEngine => None,
    }
}

#[test]
fn four_breakpoints_run_at_full_speed_and_five_are_stepped_for() {
    for facts in hosts() {
        for (count, expected) in [(0, Some(0)), (1, Some(1)), (4, Some(4)), (5, None), (100, None)]
        {
            let plan = DebugPlan::new(&breakpoints(count), &facts, &real(&[]));
            assert_eq!(armed(&plan), expected, "{count}");
            assert_eq!(plan.slow().is_some(), expected.is_none());
        }
        let plan = DebugPlan::new(&breakpoints(5), &facts, &real(&[]));
        assert_eq!(plan.slow().unwrap(), "5 debug registers are needed, and there are 4");
    }
}

#[test]
fn a_write_to_ram_is_watched_by_debug_registers_where_they_fire_for_each_iteration() {
    let set = watching(0x500, 4, WatchKind::Write);
    let plans = hosts().map(|facts| DebugPlan::new(&set, &facts, &real(&[Place::Ram])));
    assert_eq!(plans.each_ref().map(armed), [Some(1), None, None]);
    let slow = plans.map(|plan| plan.slow().unwrap_or_default());
    assert!(slow[1].contains("whole repeated"), "{}", slow[1]);
    assert!(slow[2].contains("do not fire for data"), "{}", slow[2]);
}

#[test]
fn ranges_are_cut_into_aligned_pieces() {
    let registers = |addr, len| {
        let set = watching(addr, len, WatchKind::Access);
        armed(&DebugPlan::new(&set, &intel(), &real(&[Place::Ram])))
    };
    assert_eq!(registers(0x500, 1), Some(1));
    assert_eq!(registers(0x500, 8), Some(1));
    assert_eq!(registers(0x501, 4), Some(3));
    assert_eq!(registers(0x504, 8), Some(2));
    assert_eq!(registers(0x500, 32), Some(4));
    assert_eq!(registers(0x501, 8), Some(4));
    assert_eq!(registers(0x500, 33), None);
    assert_eq!(registers(0x500, u64::MAX), None);
    let watch = Watch { addr: Linear(0x503), len: 6, kind: WatchKind::Write };
    let expected = [(0x503, DataSize::One), (0x504, DataSize::Four), (0x508, DataSize::One)];
    assert_eq!(pieces(&watch), expected.map(|(addr, size)| (Linear(addr), size)));
}

#[test]
fn reads_alone_are_stepped_for_in_ram() {
    let set = watching(0x500, 1, WatchKind::Read);
    for facts in hosts() {
        assert_eq!(armed(&DebugPlan::new(&set, &facts, &real(&[Place::Ram]))), None);
    }
}

#[test]
fn device_memory_is_watched_by_the_device_model_and_no_longer_queued() {
    for facts in hosts() {
        for (kind, queued) in
            [(WatchKind::Write, false), (WatchKind::Access, false), (WatchKind::Read, true)]
        {
            let set = watching(0xb_8000, 4000, kind);
            let plan = DebugPlan::new(&set, &facts, &real(&[Place::Device]));
            assert_eq!(armed(&plan), Some(0));
            assert_eq!(plan.coalesce, queued, "{kind:?}");
            assert!(plan.recheck);
        }
    }
}

#[test]
fn spare_debug_registers_notice_when_ram_takes_the_place_of_a_device() {
    let plan = |kind, facts: &HostFacts| {
        let plan = DebugPlan::new(&watching(0xb_8001, 2, kind), facts, &real(&[Place::Device]));
        assert_eq!(plan.mechanisms().collect::<Vec<_>>(), [Mechanism::DeviceModel]);
        (armed(&plan), plan.recheck)
    };
    assert_eq!(plan(WatchKind::Write, &intel()), (Some(2), false));
    assert_eq!(plan(WatchKind::Access, &intel()), (Some(2), false));
    assert_eq!(plan(WatchKind::Read, &intel()), (Some(0), true));
    for facts in [amd(), software()] {
        assert_eq!(plan(WatchKind::Write, &facts), (Some(0), true));
    }
    // Breakpoints come first.
    let mut set = watching(0xb_8001, 2, WatchKind::Write);
    (0x7c00..0x7c03).for_each(|addr| set.insert(Linear(addr)));
    let plan = DebugPlan::new(&set, &intel(), &real(&[Place::Device]));
    assert_eq!((armed(&plan), plan.recheck), (Some(3), true));
}

#[test]
fn breakpoints_and_watchpoints_share_the_debug_registers() {
    let mut set = breakpoints(3);
    set.insert_watch(Watch { addr: Linear(0x500), len: 2, kind: WatchKind::Write });
    let plan = DebugPlan::new(&set, &intel(), &real(&[Place::Ram]));
    let Drive::Free(slots) = plan.drive else { panic!("{plan}") };
    assert_eq!(slots.watch, [None, None, None, Some(0)]);
    assert_eq!(slots.armed[3], Some(DebugSlot::data(Linear(0x500), DataSize::Two, false)));
    set.insert(Linear(0x8000));
    assert_eq!(armed(&DebugPlan::new(&set, &intel(), &real(&[Place::Ram]))), None);
}

#[test]
fn long_mode_and_the_way_there_are_stepped_where_ring_3_would_escape() {
    let at = |mode, ring3| Situation { ring3, ..Situation::plain(mode) };
    let set = breakpoints(1);
    for (mode, ring3, expected) in [
        (CpuMode::Real, false, Some(1)),
        (CpuMode::Real, true, None),
        (CpuMode::Protected32, false, Some(1)),
        (CpuMode::Protected32, true, None),
        (CpuMode::Long64, false, Some(1)),
        (CpuMode::Long64, true, None),
        (CpuMode::Compatibility32, true, None),
    ] {
        let plan = DebugPlan::new(&set, &software(), &at(mode, ring3));
        assert_eq!(armed(&plan), expected, "{mode}, {ring3}");
        assert!(plan.recheck);
        let plan = DebugPlan::new(&set, &intel(), &at(mode, ring3));
        assert_eq!((armed(&plan), plan.recheck), (Some(1), false), "{mode}, {ring3}");
    }
}

#[test]
fn a_plan_explains_each_line() {
    let mut set = breakpoints(1);
    set.insert_watch(Watch { addr: Linear(0x500), len: 2, kind: WatchKind::Write });
    let plan = DebugPlan::new(&set, &intel(), &real(&[Place::Ram]));
    assert_eq!(
        plan.to_string(),
        "full speed, 2 of 4 debug registers in use\n\
         breakpoint at 0x7c00: a debug register; costs nothing\n\
         write watchpoint at 0x500, 2 bytes: a debug register; costs nothing\n"
    );
    let screen = watching(0xb_8000, 2, WatchKind::Write);
    let plan = DebugPlan::new(&screen, &intel(), &real(&[Place::Device]));
    assert_eq!(
        plan.to_string(),
        "full speed but in the memory of devices, 1 of 4 debug registers in use\n\
         write watchpoint at 0xb8000, 2 bytes: the device model sees each access: \
         each leaves the guest, also those to the rest of video memory\n"
    );
    let plan = DebugPlan::new(&set, &software(), &real(&[Place::Ram]));
    assert_eq!(
        plan.to_string(),
        "instruction by instruction: tens of times slower\n\
         breakpoint at 0x7c00: stepping, because the guest is stepped anyway\n\
         write watchpoint at 0x500, 2 bytes: \
         stepping, because debug registers do not fire for data here\n\
         looked at anew every millisecond: another mode, other page tables or the guest's own breakpoints \
         may need another way\n"
    );
}

#[test]
fn a_breakpoint_behind_a_load_of_ss_takes_another_register() {
    let behind = Situation { loads_of_ss: vec![Linear(0x7bfe)], ..real(&[]) };
    let plan = |count| DebugPlan::new(&breakpoints(count), &intel(), &behind);
    assert_eq!([3, 4].map(|count| armed(&plan(count))), [Some(4), None]);
    let on_it = Situation { loads_of_ss: vec![Linear(0x7c00)], ..real(&[]) };
    assert_eq!(armed(&DebugPlan::new(&breakpoints(1), &intel(), &on_it)), Some(1));
}

#[test]
fn a_plan_that_takes_the_debug_registers_is_looked_at_anew_where_a_guest_can_use_them_unseen() {
    let unseen = HostFacts { general_detect: false, ..intel() };
    for (facts, expected) in [(unseen, true), (intel(), false)] {
        let recheck = |count| DebugPlan::new(&breakpoints(count), &facts, &real(&[])).recheck;
        assert_eq!([1, 4, 5].map(recheck), [expected, expected, false]);
    }
}

#[test]
fn a_guest_that_uses_the_debug_registers_keeps_them() {
    let own = Situation { own_breakpoints: true, ..real(&[Place::Ram]) };
    for facts in hosts() {
        assert_eq!(armed(&DebugPlan::new(&breakpoints(1), &facts, &own)), None);
        let watch = watching(0x500, 1, WatchKind::Write);
        assert_eq!(armed(&DebugPlan::new(&watch, &facts, &own)), None);
    }
}

#[test]
fn where_kvm_takes_instructions_for_invalid_one_register_is_kept_outside_real_mode() {
    let refused = Refused { int_protected: true, ..software().refused };
    let facts = HostFacts { refused, ..software() };
    let plan =
        |mode, count| armed(&DebugPlan::new(&breakpoints(count), &facts, &Situation::plain(mode)));
    assert_eq!([3, 4].map(|count| plan(CpuMode::Protected32, count)), [Some(3), None]);
    assert_eq!([4, 5].map(|count| plan(CpuMode::Real, count)), [Some(4), None]);
}
