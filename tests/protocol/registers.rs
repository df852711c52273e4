//! `g`, `G`, `p`, `P`: every register of every description, written and read back.

use std::collections::BTreeMap;

use crate::client::{hex, unhex};
use crate::target_xml::number;
use crate::{Client, Server, TargetXml};

/// The modes with a description of their own, each with a guest that goes there.
const MODES: [(&str, &str, u64, &str); 3] = [
    ("hello", "i8086", 0x7c06, "real"),
    ("protected", "i386", 0x7c50, "prot32"),
    ("long", "i386:x86-64", 0x7d08, "long64"),
];

/// A client of a guest that stands at `addr`; it knows the description of the mode there.
fn at(server: &Server, addr: u64) -> (Client, TargetXml) {
    let mut client = server.connect();
    client.order(format!("Z0,{addr:x},1"));
    assert!(client.run("vCont;c").starts_with("T05"), "{addr:#x} is reached");
    client.order(format!("z0,{addr:x},1"));
    let xml = TargetXml::read(&mut client, 0x1000);
    (client, xml)
}

fn g(client: &mut Client) -> Vec<u8> {
    unhex(&client.ask("g"))
}

/// A value for each register, all of them different, each one possible in the mode of `architecture`.
fn values(architecture: &str, xml: &TargetXml, salt: u64) -> BTreeMap<String, Vec<u8>> {
    let real = architecture == "i8086";
    let wide = architecture == "i386:x86-64";
    let mut values = BTreeMap::new();
    for register in &xml.registers {
        let n = register.number as u64;
        let value: u128 = match register.name.as_str() {
            // They follow from others; written in tests of their own.
            "mode" | "ip" | "sp" => continue,
            "eip" | "rip" => {
                u128::from(if real { 0x1230 + salt * 16 + 0x4567 } else { 0x4560 + salt })
            }
            "eflags" => u128::from(0xcd7 ^ (salt * 0x41)),
            "cs" if real => u128::from(0x123 + salt),
            "cs" => continue,
            "ss" | "ds" | "es" | "fs" | "gs" if real => u128::from(0x1000 + n * 0x101 + salt),
            // The only data segment that these guests have.
            "ss" if wide => 0,
            "ss" | "ds" | "es" | "fs" | "gs" => 0x10,
            "cs_base" if real => u128::from(0x1230 + salt * 16),
            "cs_base" | "ss_base" | "ds_base" | "es_base" if !real => continue,
            "fs_base" | "gs_base" if wide => u128::from(0xffff_8000_0000_0000 + n * 0x1000 + salt),
            name if name.ends_with("_base") => u128::from(0x10_0000 + n * 0x1010 + salt),
            "fctrl" => u128::from(0x27f - salt * 0x200),
            "fstat" => u128::from(0x4700 + salt),
            // Contents decide what is not empty: the upper four are.
            "ftag" => 0xff00,
            "fop" => u128::from(0x123 + salt),
            "fiseg" | "foseg" => u128::from(0x4000 + n + salt),
            "fioff" | "fooff" => u128::from(0x1234_0000 + n + salt),
            "mxcsr" => u128::from(0x1fbf - salt),
            "cr0" => u128::from(xml_mode_bits(architecture) | (2 + salt * 8)),
            "cr2" => u128::from(0x1122_3300 + salt),
            // Paging goes on working.
            "cr3" if wide => 0x1000,
            "cr3" => u128::from(0x5000 + salt * 0x1000),
            "cr4" => u128::from(0x600 | if wide { 0x20 } else { 0 } | (salt * 0x80)),
            "cr8" => u128::from(5 + salt),
            "efer" if wide => u128::from(0xd00 | salt),
            "efer" => u128::from(salt),
            "gdtr_limit" | "idtr_limit" => u128::from(0x100 + n + salt),
            "ldtr" | "tr" => u128::from(n * 8 + salt * 0x100),
            "dr0" | "dr1" | "dr2" | "dr3" => u128::from(0x7000 + n + salt * 0x100),
            "dr6" => u128::from(0xffff_4ff0 | salt),
            "dr7" => u128::from(0x400 | (0x100u64 << salt)),
            name if name.starts_with("st") => {
                // A normal number, or for the empty ones anything.
                let exponent = 0x3fff + u128::from(n);
                exponent << 64 | 0x8000_0000_0000_0000 | u128::from(n * 0x1111 + salt)
            }
            name if name.starts_with("xmm") => {
                u128::from(0x1111_1111_1111_1111 * (n & 0xf)) << 64
                    | u128::from(n * 0x0101_0101 + salt)
            }
            name if name.starts_with('e') => u128::from(0xa000_0000 + n * 0x0111_0111 + salt),
            name if name.starts_with('r') => {
                u128::from(0xa000_0000_0000_0000 + n * 0x0111_0111_0111 + salt)
            }
            name => panic!("no value for {name}"),
        };
        values.insert(register.name.clone(), value.to_le_bytes()[..register.bytes].to_vec());
    }
    values
}

fn xml_mode_bits(architecture: &str) -> u64 {
    match architecture {
        "i8086" => 0x10,
        "i386" => 0x11,
        _ => 0x8000_0011,
    }
}

/// Selectors first, then bases, then the rest: a selector moves its base, the program counter needs its
/// segment.
fn order(name: &str) -> u8 {
    match name {
        "cs" | "ss" | "ds" | "es" | "fs" | "gs" => 0,
        "gdtr_base" | "gdtr_limit" => 2,
        name if name.ends_with("_base") => 1,
        "eip" | "rip" => 4,
        _ => 3,
    }
}

#[track_caller]
fn check(xml: &TargetXml, g: &[u8], values: &BTreeMap<String, Vec<u8>>) {
    for register in &xml.registers {
        if let Some(value) = values.get(&register.name) {
            assert_eq!(hex(xml.slice(g, register)), hex(value), "{} in g", register.name);
        }
    }
}

#[test]
fn every_register_holds_what_is_written_to_it() {
    for (guest, architecture, start, mode) in MODES {
        let server = Server::of(guest);
        let (mut client, xml) = at(&server, start);
        assert_eq!(xml.architecture, architecture);
        let values = values(architecture, &xml, 0);
        let mut names: Vec<&String> = values.keys().collect();
        names.sort_by_key(|name| order(name));
        for name in names {
            let register = xml.register(name);
            let packet = format!("P{:x}={}", register.number, hex(&values[name]));
            assert_eq!(client.ask(&packet), "OK", "{mode}: {name}: {packet}");
        }
        let all = g(&mut client);
        assert_eq!(all.len(), xml.size(), "{mode}");
        check(&xml, &all, &values);
        for register in &xml.registers {
            let single = client.ask(format!("p{:x}", register.number));
            assert_eq!(single, hex(xml.slice(&all, register)), "{mode}: p of {}", register.name);
        }
    }
}

#[test]
fn all_registers_can_be_written_at_once() {
    for (guest, architecture, start, mode) in MODES {
        let server = Server::of(guest);
        let (mut client, xml) = at(&server, start);
        let values = values(architecture, &xml, 1);
        let mut all = g(&mut client);
        let before = all.clone();
        let mut registers = xml.registers.clone();
        registers.sort_by_key(|register| register.number);
        let mut offset = 0;
        for register in &registers {
            if let Some(value) = values.get(&register.name) {
                all[offset..offset + register.bytes].copy_from_slice(value);
            }
            offset += register.bytes;
        }
        assert_ne!(all, before);
        assert_eq!(client.ask(format!("G{}", hex(&all))), "OK", "{mode}");
        let read = g(&mut client);
        check(&xml, &read, &values);
        // The same once more changes nothing.
        assert_eq!(client.ask(format!("G{}", hex(&read))), "OK", "{mode}");
        assert_eq!(g(&mut client), read, "{mode}");
    }
}

#[test]
fn writing_one_register_changes_no_other() {
    for (guest, _, start, mode) in MODES {
        let server = Server::of(guest);
        let (mut client, xml) = at(&server, start);
        let general = if mode == "long64" {
            &["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r15"][..]
        } else {
            &["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"][..]
        };
        for name in general {
            let mut expected = g(&mut client);
            assert_eq!(xml.set(&mut client, name, 0x1234_5678), "OK");
            let register = xml.register(name);
            let before: usize =
                xml.registers.iter().filter(|r| r.number < register.number).map(|r| r.bytes).sum();
            expected[before..before + register.bytes]
                .copy_from_slice(&0x1234_5678u64.to_le_bytes()[..register.bytes]);
            assert_eq!(hex(&g(&mut client)), hex(&expected), "{mode}: {name}");
        }
    }
}

#[test]
fn in_real_mode_selectors_bases_and_offsets_agree() {
    let server = Server::of("hello");
    let (mut client, xml) = at(&server, 0x7c06);
    for (selector, base) in [
        ("ds", "ds_base"),
        ("es", "es_base"),
        ("fs", "fs_base"),
        ("gs", "gs_base"),
        ("ss", "ss_base"),
    ] {
        assert_eq!(xml.set(&mut client, selector, 0xb800), "OK");
        assert_eq!(xml.get(&mut client, base), 0xb8000, "{base}");
    }
    assert_eq!(xml.set(&mut client, "ss", 0x700), "OK");
    assert_eq!(xml.set(&mut client, "esp", 0x1_0100), "OK");
    assert_eq!(xml.get(&mut client, "sp"), 0x7100);
    assert_eq!(xml.set(&mut client, "sp", 0x7200), "OK");
    assert_eq!(xml.get(&mut client, "esp"), 0x1_0200, "the upper half of esp stays");
    assert_eq!(xml.set(&mut client, "cs", 0x7c0), "OK");
    assert_eq!(xml.set(&mut client, "eip", 0x7c06), "OK");
    assert_eq!(xml.get(&mut client, "ip"), 6);
    assert_eq!(xml.set(&mut client, "ip", 1), "OK");
    assert_eq!(xml.get(&mut client, "eip"), 0x7c01);
    assert_eq!(xml.get(&mut client, "mode"), 0);
    // A step from there runs what lies at 7C01: the far jump.
    assert!(client.run("vCont;s:1").starts_with("T05"));
    assert_eq!((xml.get(&mut client, "eip"), xml.get(&mut client, "cs")), (0x7c06, 0));
}

#[test]
fn a_value_that_a_register_cannot_hold_is_refused_with_a_reason_and_changes_nothing() {
    let server = Server::of("hello");
    let (mut client, xml) = at(&server, 0x7c06);
    let before = g(&mut client);
    for (name, value, reason) in [
        ("eip", 0x1_0000, "not in segment"),
        ("sp", 0x2_0000, "not in segment"),
        ("cs", 0x1_0000, "16 bits"),
        ("gs", u64::from(u32::MAX), "16 bits"),
        ("cr8", 0x10, "4 bits"),
        ("cr0", 0x8000_0010, "pe"),
        ("cr0", 0x2000_0010, "cd"),
        ("efer", 2, "reserved"),
        ("mode", 1, "follows"),
        ("eflags", 0x2_0002, "virtual-8086"),
        ("fop", 0x800, "11 bits"),
        ("fctrl", 0x1_0000, "16 bits"),
        ("mxcsr", 0x1_0000, ""),
    ] {
        let reply = xml.set(&mut client, name, value);
        assert!(reply.starts_with("E.") && reply.contains(reason), "{name}={value:#x}: {reply}");
        assert_eq!(hex(&g(&mut client)), hex(&before), "{name}={value:#x}");
    }
    // One impossible value in a G spoils all of it.
    let mut all = before.clone();
    all[0] ^= 0xff;
    let eip: usize = 8 * 4;
    all[eip + 2] = 1;
    assert!(client.ask(format!("G{}", hex(&all))).starts_with("E."));
    assert_eq!(hex(&g(&mut client)), hex(&before));
}

#[test]
fn a_selector_of_protected_mode_is_loaded_from_its_table() {
    let server = Server::of("protected");
    let (mut client, xml) = at(&server, 0x7c50);
    assert_eq!(xml.set(&mut client, "fs", 0x08), "OK");
    assert_eq!(xml.set(&mut client, "gs", 0), "OK");
    for (name, value) in [("ds", 0x18), ("es", 0xfff8), ("ss", 0), ("ss", 0x08), ("fs", 0x14)] {
        let reply = xml.set(&mut client, name, value);
        assert!(reply.starts_with("E."), "{name}={value:#x}: {reply}");
    }
    assert_eq!(xml.get(&mut client, "ds"), 0x10);
}

#[test]
fn stop_replies_carry_registers_that_equal_g() {
    for (guest, _, start, mode) in MODES {
        let server = Server::of(guest);
        let (mut client, xml) = at(&server, start);
        let halt = match guest {
            "hello" => 0x7c2a,
            "protected" => 0x7c5c,
            _ => 0x7d23,
        };
        client.order(format!("Z0,{halt:x},1"));
        for resume in ["vCont;s:1", "vCont;r0,1:1", "s", "vCont;C05:1"] {
            let stop = client.run(resume);
            assert!(stop.starts_with("T05"), "{stop}");
            let all = g(&mut client);
            let mut seen = 0;
            for field in stop[3..].split(';').filter(|field| !field.is_empty()) {
                let (key, value) = field.split_once(':').unwrap();
                let Ok(key) = usize::from_str_radix(key, 16) else { continue };
                let register = xml.registers.iter().find(|r| r.number == key).unwrap();
                assert_eq!(value, hex(xml.slice(&all, register)), "{mode}: {}", register.name);
                seen += 1;
            }
            assert!(seen >= 16, "{mode}: {seen} registers in {stop}");
            let pc = if mode == "long64" { "rip" } else { "eip" };
            assert!(stop.contains(&format!("{:02x}:", xml.register(pc).number)), "{stop}");
        }
    }
}

#[test]
fn a_new_client_gets_the_description_of_the_mode() {
    for (guest, architecture, start, _) in MODES {
        let mut server = Server::of(guest);
        let (client, _) = at(&server, start);
        client.vanish();
        server.wait_for("a debugger may attach and look");
        let mut client = server.connect();
        let xml = TargetXml::read(&mut client, 0x1000);
        assert_eq!(xml.architecture, architecture);
        assert_eq!(g(&mut client).len(), xml.size());
        assert_eq!(number(&client.memory(0x7dfe, 2)), 0xaa55);
    }
}
