//! What the client is told about the target: the description for gdb, the triple for lldb.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use gdbstub::common::Endianness;
use gdbstub::target::ext::host_info::{HostInfo, HostInfoResponse};
use gdbstub::target::ext::process_info::{ProcessInfo, ProcessInfoResponse};
use gdbstub::target::ext::target_description_xml_override::TargetDescriptionXmlOverride;
use gdbstub::target::{TargetError, TargetResult};

use super::Guest;
use crate::gdb::layout::Description;

/// lldb's name for the architecture, and the size of its pointers in bytes.
fn triple(description: Description) -> (&'static str, usize) {
    match description {
        Description::I8086 => ("i386-unknown-unknown-code16", 4),
        Description::I386 => ("i386-unknown-unknown", 4),
        Description::X86_64 => ("x86_64-unknown-unknown", 8),
    }
}

impl TargetDescriptionXmlOverride for Guest<'_> {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            // The protocol's reply for an annex that does not exist.
            return Err(TargetError::Errno(0));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.layout.xml().as_bytes().get(start..).unwrap_or_default();
        let count = rest.len().min(length).min(buffer.len());
        buffer.iter_mut().zip(rest.iter().take(count)).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}

impl HostInfo for Guest<'_> {
    fn host_info(&self, write: &mut dyn FnMut(&HostInfoResponse<'_>)) -> Result<(), Infallible> {
        let (triple, pointer) = triple(self.layout.description());
        write(&HostInfoResponse::Triple(triple));
        write(&HostInfoResponse::Endianness(Endianness::Little));
        write(&HostInfoResponse::PointerSize(pointer));
        Ok(())
    }
}

impl ProcessInfo for Guest<'_> {
    fn process_info(
        &self,
        write: &mut dyn FnMut(&ProcessInfoResponse<'_>),
    ) -> Result<(), Infallible> {
        let (triple, pointer) = triple(self.layout.description());
        write(&ProcessInfoResponse::Pid(NonZeroUsize::MIN));
        write(&ProcessInfoResponse::Triple(triple));
        write(&ProcessInfoResponse::Endianness(Endianness::Little));
        write(&ProcessInfoResponse::PointerSize(pointer));
        Ok(())
    }
}
