use std::collections::BTreeMap;

use super::*;

/// Registers 0 to 2, and a little memory from 500h on.
#[derive(Default)]
struct Guest {
    variables: BTreeMap<u16, u64>,
}

const MEMORY: &[u8] = b"stone\0\xff\x80\x01\x02\x03\x04\x05\x06\x07\x88";
const REGISTERS: [u64; 3] = [3, u64::MAX, 0x500];

impl Context for Guest {
    fn register(&mut self, number: usize) -> Option<u64> {
        REGISTERS.get(number).copied()
    }

    fn memory(&mut self, addr: u64, data: &mut [u8]) -> usize {
        let Some(start) = addr.checked_sub(0x500) else { return 0 };
        let rest = MEMORY.get(start.try_into().unwrap()..).unwrap_or_default();
        let count = rest.len().min(data.len());
        data[..count].copy_from_slice(&rest[..count]);
        // Zeros behind it, and an end.
        let zeros = 0x1000usize.saturating_sub(start.try_into().unwrap()).min(data.len());
        data[count..zeros.max(count)].fill(0);
        zeros.max(count)
    }

    fn variable(&mut self, number: u16) -> u64 {
        self.variables.get(&number).copied().unwrap_or_default()
    }

    fn set_variable(&mut self, number: u16, value: u64) {
        self.variables.insert(number, value);
    }
}

/// The result of the bytecode that `digits` write.
fn run(digits: &str) -> Result<u64, BytecodeError> {
    let code = decode_hex(digits.replace(' ', "").as_bytes()).unwrap();
    eval::run(&code, &mut Guest::default(), &mut Vec::new())
}

#[test]
fn every_integer_bytecode_does_what_the_manual_says() {
    // Operands are constants of 8 bits (22), and minus one is the complement of 0 (22 00 12).
    for (code, result) in [
        ("22 05 22 03 02", 8),
        ("22 03 22 05 03", 2u64.wrapping_neg()),
        ("22 05 22 03 04", 15),
        ("22 07 12 22 02 05", 4u64.wrapping_neg()), // -8 / 2
        ("22 07 22 02 06", 3),
        ("22 06 12 22 04 07", 3u64.wrapping_neg()), // -7 % 4
        ("22 07 22 04 08", 3),
        ("22 01 22 3f 09", 1 << 63),
        ("22 01 22 40 09", 0),
        ("22 07 12 22 01 0a", 4u64.wrapping_neg()),
        ("22 00 12 22 ff 0a", u64::MAX),
        ("22 00 12 22 3f 0b", 1),
        ("22 00 12 22 40 0b", 0),
        ("22 09 22 01 22 02 0c", 9), // trace takes two
        ("22 09 0d 04", 9),          // trace_quick takes nothing
        ("22 05 0e", 0),
        ("22 00 0e", 1),
        ("22 0c 22 0a 0f", 8),
        ("22 0c 22 0a 10", 14),
        ("22 0c 22 0a 11", 6),
        ("22 00 12", u64::MAX),
        ("22 05 22 05 13", 1),
        ("22 00 12 22 01 14", 1), // -1 < 1
        ("22 00 12 22 01 15", 0), // but not without signs
        ("22 ff 16 08", u64::MAX),
        ("22 ff 16 09", 255),
        ("22 ff 16 40", 255),
        ("24 00000506 17", 0xff),
        ("24 00000506 18", 0x80ff),
        ("24 00000506 19", 0x0201_80ff),
        ("24 00000508 1a", 0x8807_0605_0403_0201),
        ("22 01 20 0008 22 07 27 22 09", 9),
        ("22 00 20 0008 22 07 27 22 09", 7),
        ("21 0005 22 07 22 09", 9),
        ("22 ff", 255),
        ("23 ff01", 0xff01),
        ("24 ff010203", 0xff01_0203),
        ("25 ff01020304050607", 0xff01_0203_0405_0607),
        ("26 0000", 3),
        ("22 05 28 02", 10),
        ("22 05 22 06 29", 5),
        ("22 00 12 2a 10", 0xffff),
        ("22 08 22 02 2b 03", 2u64.wrapping_sub(8)),
        ("2c 0005", 0),
        ("22 06 2d 0005 29 2c 0005", 6),
        ("22 09 2e 0001", 9),
        ("22 09 22 01 22 02 2f", 9),
        ("22 09 30 0004", 9),
        ("22 07 22 08 22 09 32 02", 7),
        ("22 07 22 08 22 09 33", 8), // c a b: b is on top
        ("22 07 22 08 22 09 33 29", 7),
        ("22 07 22 08 22 09 33 29 29", 9),
        ("", 0),
    ] {
        assert_eq!(run(&format!("{code} 27")), Ok(result), "{code}");
    }
}

#[test]
fn bad_bytecode_has_an_error_and_no_other_effect() {
    let memory = BytecodeError::Memory;
    for (code, error) in [
        ("", BytecodeError::Truncated),
        ("22", BytecodeError::Truncated),
        ("25 00", BytecodeError::Truncated),
        ("22 05 22 00 05", BytecodeError::Division),
        ("22 05 22 00 06", BytecodeError::Division),
        ("22 05 22 00 07", BytecodeError::Division),
        ("22 05 22 00 08", BytecodeError::Division),
        ("02", BytecodeError::Underflow),
        ("22 01 02", BytecodeError::Underflow),
        ("22 01 32 01", BytecodeError::Underflow),
        ("22 01 22 02 33", BytecodeError::Underflow),
        ("2d 0001", BytecodeError::Underflow),
        ("21 0000", BytecodeError::Endless),
        ("21 0003", BytecodeError::Jump(3)),
        ("21 ffff", BytecodeError::Jump(0xffff)),
        ("22 01 21 0000", BytecodeError::Overflow),
        ("26 0009 27", BytecodeError::Register(9)),
        ("22 00 17 27", memory(0)),
        ("22 00 12 1a 27", memory(u64::MAX)),
        ("22 00 16 00 27", BytecodeError::Width(0)),
        ("01 27", BytecodeError::Opcode(1)),
        ("22 00 1b 27", BytecodeError::Opcode(0x1b)),
        ("00", BytecodeError::Opcode(0)),
        ("ff", BytecodeError::Opcode(0xff)),
        ("34 00 0001 00", BytecodeError::Underflow),
        ("34 00 0009 00", BytecodeError::Truncated),
    ] {
        assert_eq!(run(code), Err(error), "{code}");
    }
    // The smallest number has no opposite.
    assert_eq!(run("25 8000000000000000 22 00 12 05 27"), Ok(1 << 63));
    assert_eq!(run("25 8000000000000000 22 00 12 07 27"), Ok(0));
}

/// What `printf` makes of `format` and `arguments`.
fn printed(format: &str, arguments: &[u64]) -> Result<String, BytecodeError> {
    let mut code = Vec::new();
    for argument in arguments.iter().rev() {
        code.push(0x25);
        code.extend(argument.to_be_bytes());
    }
    // Channel and function, then the bytecode itself.
    code.extend([0x22, 0, 0x22, 0, 0x34, arguments.len().try_into().unwrap()]);
    code.extend(u16::try_from(format.len() + 1).unwrap().to_be_bytes());
    code.extend(format.bytes().chain([0, 0x27]));
    let mut output = Vec::new();
    eval::run(&code, &mut Guest::default(), &mut output)?;
    Ok(String::from_utf8(output).unwrap())
}

#[test]
fn formats_print_as_in_c() {
    let minus = |n: u64| n.wrapping_neg();
    for (format, arguments, text) in [
        ("ax=%d\\n", &[5][..], "ax=5\n"),
        ("%d %u", &[minus(2), 0xffff_fffe], "-2 4294967294"),
        ("%ld %lu", &[minus(2), minus(2)], "-2 18446744073709551614"),
        ("%llx", &[minus(1)], "ffffffffffffffff"),
        ("%x %X %#x %#X", &[0xab, 0xab, 0xab, 0xab], "ab AB 0xab 0XAB"),
        ("%o %#o", &[8, 8], "10 010"),
        ("%hhd %hd", &[0xff, 0x8000], "-1 -32768"),
        (
            "[%5d] [%-5d] [%05d] [%+d] [% d]",
            &[42, 42, 42, 42, 42],
            "[   42] [42   ] [00042] [+42] [ 42]",
        ),
        ("[%5.3d] [%.0d] [%#06x]", &[7, 0, 0x2a], "[  007] [] [0x002a]"),
        ("[%05d]", &[minus(42)], "[-0042]"),
        ("%c%c", &[0x41, 0x42], "AB"),
        ("%s", &[0x500], "stone"),
        ("[%8s] [%-8s] [%.2s]", &[0x500, 0x500, 0x500], "[   stone] [stone   ] [st]"),
        ("%p", &[0x7c00], "0x7c00"),
        ("%zx %jd", &[1, minus(1)], "1 -1"),
        ("100%% \\t\\\"\\\\\\x", &[], "100% \t\"\\x"),
        ("\\101\\60", &[], "A0"),
        ("", &[], ""),
        ("\\", &[], "\\"),
        // More arguments than it asks for.
        ("%d", &[1, 2], "1"),
    ] {
        assert_eq!(printed(format, arguments).as_deref(), Ok(text), "{format}");
    }
}

#[test]
fn formats_that_cannot_be_printed_say_why() {
    let error = |format, arguments: &[u64]| printed(format, arguments).unwrap_err().to_string();
    assert_eq!(error("%f", &[1]), "cannot print: the conversion %f is not supported");
    assert_eq!(error("%n", &[1]), "cannot print: the conversion %n is not supported");
    assert_eq!(error("%*d", &[1, 2]), "cannot print: the conversion %* is not supported");
    assert_eq!(error("%", &[]), "cannot print: the format ends within a conversion");
    assert_eq!(error("%d", &[]), "cannot print: there are fewer arguments than conversions");
    assert_eq!(error("%99999d", &[1]), "cannot print: a width or a precision above 4096");
    assert_eq!(error("%s", &[0]), "cannot print: there is no string at 0x0");
    let long = "%4000d".repeat(20);
    assert_eq!(error(&long, &[1; 20]), "cannot print: the text is longer than 65536 bytes");
}

/// What comes of the breakpoint with `text` behind its address.
fn decide(text: &str) -> Verdict {
    Plan::parse(text.as_bytes()).unwrap().decide(&mut Guest::default())
}

#[test]
fn a_breakpoint_stops_if_one_of_its_conditions_is_true() {
    // $0 == 3, as gdb writes it, and $0 == 4.
    let (true_, false_) = ("X9,260000162022031327", "X9,260000162022041327");
    assert!(decide(true_).stop);
    assert!(!decide(false_).stop);
    assert!(decide(&format!("{false_}{true_}")).stop);
    assert!(!decide(&format!("{false_}{false_}")).stop);
    // The low byte of memory at 500h is 's'.
    assert!(decide("Xa,23050017160822731327").stop);
}

#[test]
fn a_condition_that_fails_counts_as_true() {
    let verdict = decide("X2,0227");
    assert!(verdict.stop);
    assert_eq!(verdict.bad_condition, Some(BytecodeError::Underflow));
}

#[test]
fn a_breakpoint_with_commands_prints_and_goes_on() {
    // printf("hi\n") behind a condition.
    let command = "cmds:1,Xe,220022003400000568695c6e0027";
    let verdict = decide(command);
    assert_eq!((verdict.stop, &verdict.text[..]), (false, &b"hi\n"[..]));
    let verdict = decide(&format!("X9,260000162022031327;{command}"));
    assert_eq!((verdict.stop, &verdict.text[..]), (false, &b"hi\n"[..]));
    let verdict = decide(&format!("X9,260000162022041327;{command}"));
    assert_eq!((verdict.stop, &verdict.text[..]), (false, &b""[..]));
    // Also after one that fails.
    let verdict = decide("cmds:0,X1,02");
    assert_eq!((verdict.stop, verdict.bad_command), (false, Some(BytecodeError::Underflow)));
}

#[test]
fn lists_have_one_form_only() {
    assert!(Plan::parse(b"").unwrap().is_empty());
    for bad in [
        "X",
        "X1",
        "X1,",
        "X1,2",
        "X1,zz",
        "X2,27",
        "X1,27X",
        "Y1,27",
        "X1,27;cmds",
        "cmds:X",
        "Xffffffffffffffff,27",
    ] {
        assert_eq!(Plan::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn what_a_loop_prints_has_an_end() {
    // again: printf("%4096d", 0); goto again
    let text = b"%4096d\0";
    let mut code = vec![0x22, 0, 0x22, 0, 0x22, 0, 0x34, 1, 0, text.len() as u8];
    code.extend(text);
    code.extend([0x21, 0, 0]);
    let mut output = b"before".to_vec();
    let end = eval::run(&code, &mut Guest::default(), &mut output);
    assert_eq!(end, Err(BytecodeError::Format(format::FormatError::Length)));
    assert_eq!(output.len(), "before".len() + LONGEST_TEXT);
}
