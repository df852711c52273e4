//! The `monitor` commands: what gdb has no command for, in plain text.
//!
//! Knows the machine only. A command answers at once, and whatever is typed has an answer.

mod address;
mod examine;
mod firmware;
mod outside;
mod register;
mod stack;
mod stops;
mod tables;
mod walk;

use crate::devices::frame::Frame;
use crate::machine::Machine;
use crate::ui;

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text to print, whole lines.
    pub text: String,
    /// The user ends the guest and the server.
    pub quit: bool,
}

/// Commands beside those that there are, by whoever has the server: gets the machine and the line, and gives
/// the text to print, or nothing for a line that is none of its own.
pub struct Extension(pub Box<Extend>);

/// What an [`Extension`] does.
pub type Extend = dyn FnMut(&mut Machine, &str) -> Option<String>;

impl std::fmt::Debug for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extension").finish_non_exhaustive()
    }
}

/// Why a command has no result, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct CommandError(String);

/// One command: name, arguments, what it does, and how it does it.
struct Command {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&mut Machine, &str) -> Result<String, CommandError>,
}

/// `help` and `quit` stand beside these.
const COMMANDS: &[Command] = &[
    Command {
        name: "registers",
        arguments: "",
        help: "all registers, hidden parts included (also: info registers)",
        run: registers,
    },
    Command {
        name: "screen",
        arguments: "[colour|FILE]",
        help: "the text on the screen, or in colour; written to FILE.txt, or as a picture to FILE.png",
        run: screen,
    },
    Command {
        name: "vga",
        arguments: "",
        help: "the video mode, where picture and cursor are, and every register of the VGA",
        run: vga,
    },
    Command {
        name: "stack",
        arguments: "[COUNT]",
        help: "words on the stack, and which of them are return addresses",
        run: stack::stack,
    },
    Command {
        name: "backtrace",
        arguments: "[COUNT]",
        help: "who called: over near and far calls and interrupts, without debug information",
        run: stack::backtrace,
    },
    Command {
        name: "ivt",
        arguments: "[VECTOR]",
        help: "the real-mode interrupt vectors",
        run: tables::ivt,
    },
    Command {
        name: "idt",
        arguments: "[VECTOR]",
        help: "the interrupt descriptor table of protected and long mode",
        run: tables::idt,
    },
    Command {
        name: "gdt",
        arguments: "[SELECTOR]",
        help: "the global descriptor table",
        run: tables::gdt,
    },
    Command {
        name: "xp",
        arguments: "[/COUNT FORMAT SIZE] ADDR [16|32|64]",
        help: "physical memory, or at $pc, $sp, SEG:OFF; formats xduotcsi, sizes bhwg; i takes a code width",
        run: examine::examine,
    },
    Command {
        name: "walk",
        arguments: "ADDR",
        help: "where a linear address, $REG, SEG:OFF or REG:OFF leads: page tables, physical, host",
        run: walk::walk,
    },
    Command {
        name: "plan",
        arguments: "",
        help: "how each breakpoint, watchpoint and stop is watched for, why, and what it costs",
        run: plan,
    },
    Command {
        name: "mode-events",
        arguments: "[lazy|eager]",
        help: "eager: stop at each switch of the CPU mode, for gdb's catch exec; runs by slow steps",
        run: mode_events,
    },
    Command {
        name: "exits",
        arguments: "",
        help: "how often and how long the guest was left, by reason",
        run: exits,
    },
    Command {
        name: "stop-on",
        arguments: "[LIST|all|none]",
        help: "stop at exceptions such as ud,gp,pf before the guest's handler",
        run: stops::stop_on,
    },
    Command {
        name: "break-on",
        arguments: "[LIST|none]",
        help: "breakpoints in the guest's source: int3,xchg",
        run: stops::break_on,
    },
    Command {
        name: "stop-at",
        arguments: "int N [ah=N|al=N|ax=N]",
        help: "stop before a software interrupt, with this AH, AL or AX",
        run: stops::stop_at,
    },
    Command {
        name: "stop-at",
        arguments: "in|out|io PORT[-LAST] [VALUE]",
        help: "stop behind an access to a port, with this value",
        run: stops::stop_at,
    },
    Command {
        name: "stop-at",
        arguments: "mode",
        help: "stop behind a switch of the CPU mode",
        run: stops::stop_at,
    },
    Command {
        name: "stop-at",
        arguments: "[delete N|all]",
        help: "list these stops with their hits, or take them back",
        run: stops::stop_at,
    },
    Command {
        name: "key",
        arguments: "TEXT",
        help: "type on the guest's keyboard: hi{Enter}, {F1}, {Ctrl+C}",
        run: outside::key,
    },
    Command {
        name: "keyboard",
        arguments: "",
        help: "the keyboard controller, the keyboard, and how many keys wait",
        run: outside::keyboard,
    },
    Command {
        name: "serial",
        arguments: "[PORT TEXT]",
        help: "the serial ports, or send TEXT (\\r \\n \\xHH) to COM1 or COM2",
        run: outside::serial,
    },
    Command {
        name: "pit",
        arguments: "",
        help: "the counters of the 8254, the speaker, and the time in the guest",
        run: outside::pit,
    },
    Command {
        name: "bda",
        arguments: "",
        help: "the BIOS data area: keys, screen, time, equipment",
        run: firmware::bda,
    },
    Command {
        name: "cmos",
        arguments: "",
        help: "the real-time clock and its memory",
        run: firmware::cmos,
    },
    Command {
        name: "disk",
        arguments: "",
        help: "the drives, their disks, sectors changed, the last statuses of INT 13h, and the ATA channel",
        run: firmware::disk,
    },
    Command { name: "pic", arguments: "", help: "the interrupt controllers", run: outside::pic },
    Command {
        name: "irq",
        arguments: "[auto|on|off]",
        help: "deliver device interrupts while the guest runs but not in steps (auto), in steps too, or never",
        run: outside::irq,
    },
    Command {
        name: "reset",
        arguments: "",
        help: "start the guest anew: memory, devices, registers",
        run: reset,
    },
];

/// Carries out the command line `line`.
pub fn answer(machine: &mut Machine, line: &str) -> Answer {
    let line = line.trim();
    // A format may stand right behind the name: xp/8i.
    let end = line.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(line.len());
    let (name, arguments) = line.split_at(end);
    let (name, arguments) = match (name, arguments.trim()) {
        ("info", "registers") => ("registers", ""),
        other => other,
    };
    if name == "quit" && arguments.is_empty() {
        return Answer { text: "the guest ends here\n".to_owned(), quit: true };
    }
    let text = match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) if command.arguments.is_empty() && !arguments.is_empty() => {
            format!("{name} takes no arguments\n")
        }
        Some(command) => {
            (command.run)(machine, arguments).unwrap_or_else(|error| format!("{error}\n"))
        }
        None if matches!(name, "help" | "") => help(),
        None => format!("no such command: {name}\n{}", help()),
    };
    Answer { text, quit: false }
}

fn help() -> String {
    let own = [("help", "this list"), ("quit", "end the guest and the server")];
    let own = own.map(|(name, text)| (name.to_owned(), text));
    let rows = COMMANDS.iter().map(|c| (format!("{} {}", c.name, c.arguments), c.help));
    let mut text = String::new();
    for (usage, help) in rows.chain(own) {
        text.push_str(&format!("  {:<44}{help}\n", usage.trim_end()));
    }
    text
}

fn registers(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    machine.register_dump().map_err(|error| CommandError(error.to_string()))
}

fn screen(machine: &mut Machine, file: &str) -> Result<String, CommandError> {
    let frame = machine.frame();
    if file == "colour" {
        return Ok(ui::ansi::ansi(&frame));
    }
    if !file.is_empty() {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
        ui::write_screen(&path, &frame).map_err(|error| CommandError(error.to_string()))?;
        return Ok(format!("the screen is in {}\n", path.display()));
    }
    let text = ui::text::plain(&frame);
    Ok(match frame {
        Frame::Graphics(_) => {
            format!("{text}`monitor screen FILE.png` writes it as a picture\n")
        }
        _ if text.is_empty() => "the screen is empty\n".to_owned(),
        _ => text,
    })
}

fn vga(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(format!("{}\n", machine.vga()))
}

fn plan(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    // gdb takes them out for as long as the guest is stopped.
    let last = machine.remembered_breakpoints();
    let taken_out = machine.breakpoints().is_empty() && !last.is_empty();
    let (set, head) = if taken_out {
        (last, "nothing is inserted at the moment; what was when the guest last went on:\n")
    } else {
        (machine.breakpoints(), "")
    };
    let plan = machine.plan_for(set).map_err(|error| CommandError(error.with_cause()))?;
    Ok(format!("{head}{plan}{}", stops::plan(machine)))
}

fn exits(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    Ok(format!("{}\n", machine.stats()))
}

fn mode_events(machine: &mut Machine, choice: &str) -> Result<String, CommandError> {
    match choice {
        "" => {}
        "lazy" => machine.stop_at_mode_switch(false),
        "eager" => machine.stop_at_mode_switch(true),
        other => return Err(CommandError(format!("{other} is neither lazy nor eager"))),
    }
    Ok(if machine.stops_at_mode_switch() {
        "eager: the guest stops at each switch of the mode, and runs instruction by instruction\n"
    } else {
        "lazy: a switch of the mode is told at the next stop\n"
    }
    .to_owned())
}

fn reset(machine: &mut Machine, _: &str) -> Result<String, CommandError> {
    machine.reset().map_err(|error| CommandError(error.to_string()))?;
    Ok(format!(
        "the guest is at its first instruction, {}\n\
         gdb does not know yet: `maintenance flush register-cache` makes it look\n",
        machine.cpu().location()
    ))
}
