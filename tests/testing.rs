//! `stepvisor::testing`, as a Rust project uses it.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::time::Duration;

use stepvisor::testing::{Ending, Failed, Marks, OnUnclaimed, Test, Verdict};

#[test]
fn a_guest_is_tested_without_gdb() -> Result<(), Failed> {
    Test::guest("guests/bin/hello.bin")
        .ends(Ending::Halt)
        .screen_row(0, "Hello from a boot sector!")
        .screen_contains("7C00")
        .screen_lacks("7C01")
        .screen_file("tests/screens/hello.txt")
        .register("ds", 0)
        .string_at(0x7c37, "Hello from a boot sector!")
        .memory_at(0x7dfe, &[0x55, 0xaa])
        .instructions(100..500)
        .run()
}

#[test]
fn a_guest_is_tested_with_gdb() -> Result<(), Failed> {
    Test::guest("guests/bin/addloop.bin")
        .symbols("guests/bin/addloop.elf")
        .gdb("break store_sum\ncontinue")
        .gdb("assert $cx == 9")
        .run()
}

#[test]
fn the_machine_is_as_the_test_wants_it() -> Result<(), Failed> {
    // in al, 0x60; cli; hlt
    Test::image(&[0xe4, 0x60, 0xfa, 0xf4])
        .load(0x600)
        .entry(0x60, 0)
        .drive(3)
        .memory(1 << 20)
        .on_unclaimed(OnUnclaimed::Ignore)
        .break_on(Marks::default())
        .limit(10)
        .register("dl", 3)
        .register("cs", 0x60)
        .run()
}

#[test]
fn ports_and_console_are_heard() -> Result<(), Failed> {
    Test::guest("tests/guests/exit.asm")
        .ends(Ending::Exit(42))
        .console("bye")
        .console_contains("by")
        .port_writes(0xf4, &[42])
        .run()
}

#[test]
fn keys_are_typed_and_serial_output_is_heard() -> Result<(), Failed> {
    Test::guest("guests/bin/keyboard.bin").keys("ab{Esc}").screen_row(0, "ab").run()?;
    Test::guest("guests/bin/serial.bin").serial_contains("COM1").run()?;
    Test::guest("guests/bin/keyboard.bin")
        .keys_at(Duration::from_millis(300), "{Esc}")
        .keys_at(Duration::from_millis(100), "ab")
        .screen_row(0, "ab")
        .run()?;
    let failed = Test::guest("guests/bin/serial.bin").keys("{No}").serial("x").run().unwrap_err();
    assert_eq!(failed.verdict(), Verdict::BadHeader);
    Ok(())
}

#[test]
fn a_failure_prints_its_report_and_the_line_of_the_test() {
    let line = line!() + 1;
    let failed = Test::guest("guests/bin/hello.elf").screen_row(0, "Goodbye").run().unwrap_err();
    assert_eq!(failed.verdict(), Verdict::Failed);
    let report = format!("{failed:?}");
    assert_eq!(report, failed.to_string());
    for text in [
        &*format!("failed\ntests/testing.rs:{line}: screen row 0: Goodbye\n"),
        "  expected  \"Goodbye\"\n  found     \"Hello from a boot sector!\"\n",
        "(guests/hello.asm:59)",
        "    | Hello from a boot sector!\n",
        "    0000:7C2B  hlt\n",
    ] {
        assert!(report.contains(text), "no `{text}` in\n{report}");
    }
}

#[test]
fn a_gdb_command_that_fails_is_named_by_its_line() {
    let failed = Test::guest("guests/bin/hello.elf").gdb("stepi\nassert $ax == 1").run();
    let report = failed.unwrap_err().to_string();
    assert!(report.contains(": gdb command:2: assert $ax == 1\n"), "{report}");
}

#[test]
fn what_makes_no_sense_and_what_hangs_have_their_verdicts() {
    let verdict = |test: Test| test.run().unwrap_err().verdict();
    let hello = || Test::guest("guests/bin/hello.bin");
    assert_eq!(verdict(hello()), Verdict::NoAssertion);
    assert!(hello().run().unwrap_err().to_string().contains("call asserts_nothing()"));
    hello().asserts_nothing().run().unwrap();
    assert_eq!(verdict(hello().register("foo", 1)), Verdict::BadHeader);
    assert_eq!(verdict(hello().ends(Ending::TripleFault)), Verdict::WrongEnding);
    assert_eq!(verdict(Test::guest("no/such/file").ends(Ending::Halt)), Verdict::BuildError);
    let forever = || Test::image(&[0xeb, 0xfe]).ends(Ending::Halt);
    assert_eq!(verdict(forever().timeout(Duration::from_millis(50))), Verdict::Hang);
    assert_eq!(verdict(forever().limit(100)), Verdict::Hang);
}

#[test]
fn machines_in_many_threads_do_not_disturb_each_other() {
    let run = |n: u32| {
        // mov al, n; out 0x80, al; loop a while; mov al, n; out 0xf4, al
        let low = n.to_le_bytes()[0];
        let code =
            [0xb0, low, 0xe6, 0x80, 0xb9, 0xff, 0x7f, 0xe2, 0xfe, 0xb0, low, 0xe6, 0xf4, 0xf4];
        Test::image(&code).ends(Ending::Exit(n)).port_writes(0x80, &[n]).run()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || run(n))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}
