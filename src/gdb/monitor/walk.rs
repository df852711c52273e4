//! `walk`: the whole way of an address, from segment and offset to the byte in the host's memory.

use super::CommandError;
use super::address::typed;
use crate::machine::{Machine, Physical};
use crate::x86::Phys;

/// Carries out `walk` with its argument.
pub(super) fn walk(machine: &mut Machine, argument: &str) -> Result<String, CommandError> {
    if argument.is_empty() {
        let text = "walk needs an address, such as 0x7c00, 07C0:0010 or ds:0x10";
        return Err(CommandError(text.to_owned()));
    }
    let typed = typed(machine.cpu(), argument)?;
    let walk = machine.walk(typed.linear);
    let mut lines = Vec::new();
    if let Some(segment) = typed.segment {
        lines.push(format!("segment   {segment}"));
    }
    lines.push(format!("linear    {:#x}, {}", walk.addr, walk.mode));
    for level in &walk.levels {
        let (name, at, entry) = (level.table.as_str(), level.entry_addr, level.entry);
        lines.push(format!("{name:<9} {entry:#x} at physical {at:#x}"));
    }
    match walk.result {
        Ok(page) => {
            let may = |yes, word| if yes { word } else { "-" };
            if !walk.levels.is_empty() {
                lines.push(format!(
                    "page      {:#x} bytes, rights {}{}{}",
                    page.page_size,
                    may(page.user, "u"),
                    may(page.writable, "w"),
                    may(!page.no_execute, "x"),
                ));
            }
            lines.push(format!("physical  {:#x}", page.phys));
            lines.push(format!("region    {}", region(machine, page.phys)));
        }
        Err(fault) => lines.push(format!("fault     {fault}")),
    }
    Ok(lines.join("\n") + "\n")
}

fn region(machine: &Machine, addr: Phys) -> String {
    match machine.physical(addr) {
        Physical::Ram { start, size, host } => {
            let offset = addr.0.wrapping_sub(start.0);
            format!("RAM {start:#x} + {offset:#x} of {size:#x}, host {host:#x}")
        }
        Physical::Rom => "ROM".to_owned(),
        Physical::Device => "memory of a device".to_owned(),
        Physical::Hole => "nothing: reads give all ones".to_owned(),
    }
}
