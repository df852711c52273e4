//! The machine as gdbstub sees it: one file for each feature of the protocol.
//!
//! Every failure here is told to the client and ends nothing: where the protocol has room for a text, the
//! text is left in [`Guest`] for the session, which puts it into the reply.

mod breakpoints;
mod decide;
mod hits;
mod info;
mod memory;
mod monitor_command;
mod registers;
mod resume;

use std::convert::Infallible;

use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::breakpoints::BreakpointsOps;
use gdbstub::target::ext::host_info::HostInfoOps;
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::ext::process_info::ProcessInfoOps;
use gdbstub::target::ext::target_description_xml_override::TargetDescriptionXmlOverrideOps;
use gdbstub::target::{Target, TargetError};

use super::arch::X86;
use super::follow;
use super::layout::Layout;
use super::monitor::Extension;
use super::program::Program;
use super::segments::Segments;
use crate::machine::{Machine, Observer, StopReason, Watch};
use crate::x86::Linear;

use decide::Agent;
use hits::Due;
use resume::Nearness;

pub use breakpoints::Inserted;
pub use resume::Resume;

/// What the `E` replies of gdbstub carry where no text takes their place: EFAULT.
const FAULT: u8 = 14;

/// Of a watched range, how many bytes a client compares.
const LONGEST: usize = 4096;

/// A machine under a debugger.
#[derive(Debug)]
pub struct Guest<'m> {
    machine: &'m mut Machine,
    /// The registers as the client knows them, which is as its last target description says.
    layout: &'static Layout,
    /// It takes that of another mode when it is told of one.
    takes_layouts: bool,
    inserted: Inserted,
    /// How the client wants the guest to go on, until the session takes it.
    resume: Option<Resume>,
    /// How it went on last was by steps.
    stepping: bool,
    /// Of its own accord, to get off a breakpoint; unknown of some clients.
    steps_off: Option<bool>,
    /// Why the last request failed, until the session takes it.
    error: Option<String>,
    /// `monitor quit` was given.
    quit: bool,
    agent: Agent,
    nearness: Nearness,
    /// The breakpoint of which the client was told last, until it does something about it.
    reported: Option<Linear>,
    /// What was in the watched ranges before the guest went on last.
    watched: Vec<(Linear, Vec<u8>)>,
    /// What the client reads at addresses in place of what is there.
    shadow: Vec<(Linear, Vec<u8>)>,
    /// Watchpoints of which the client is still to be told.
    due: Due,
    program: Option<Program>,
    segments: Segments,
    /// A client may have been started with a program, whose architecture it must not take.
    welcomes: bool,
    /// The client has had the guest started anew, and may look for its program.
    is_fresh: bool,
    /// It has looked, or taken the description of the program that it has.
    has_looked: bool,
    extension: Option<Extension>,
}

impl<'m> Guest<'m> {
    /// `machine` under a debugger that has asked for nothing yet. What breakpoints print goes to `console`.
    pub fn new(machine: &'m mut Machine, console: Box<dyn Observer>) -> Guest<'m> {
        let layout = Layout::for_mode(machine.cpu().mode());
        Guest {
            machine,
            layout,
            takes_layouts: false,
            inserted: Inserted::default(),
            resume: None,
            stepping: false,
            steps_off: None,
            error: None,
            quit: false,
            agent: Agent::new(console),
            nearness: Nearness::default(),
            reported: None,
            watched: Vec::new(),
            shadow: Vec::new(),
            due: Due::default(),
            program: None,
            segments: Segments::default(),
            welcomes: true,
            is_fresh: false,
            has_looked: false,
            extension: None,
        }
    }

    /// Has `extension` answer `monitor` commands first.
    pub fn set_extension(&mut self, extension: Extension) {
        self.extension = Some(extension);
    }

    /// Offers `program` to clients that have none.
    pub fn set_program(&mut self, program: Program) {
        self.program = Some(program);
    }

    /// Says where the guest's program is linked to run.
    pub fn set_segments(&mut self, segments: Segments) {
        self.segments = segments;
    }

    /// The program with the guest's symbols.
    pub fn program_mut(&mut self) -> Option<&mut Program> {
        self.program.as_mut()
    }

    /// What a client without a program is told to load: the file with the symbols. Once it has had the guest
    /// started anew it has them, and would take the architecture of the file again: then it is the name of the
    /// mode, which is no file.
    pub fn program_name(&mut self) -> String {
        self.has_looked = true;
        match &self.program {
            Some(program) if !self.is_fresh => program.name().to_owned(),
            _ => follow::name(self.machine.cpu().mode()),
        }
    }

    /// Says whether clients come with a program of an architecture.
    pub fn set_welcomes(&mut self, welcomes: bool) {
        self.welcomes = welcomes;
    }

    /// Whether a client has to be told at connect that it debugs no program.
    #[must_use]
    pub fn welcomes(&self) -> bool {
        self.welcomes
    }

    /// Starts the guest anew, for a client that goes on with it.
    ///
    /// # Errors
    ///
    /// The text for the client.
    pub fn reboot(&mut self) -> Result<(), String> {
        self.forget_breakpoints();
        self.machine.reset().map_err(|error| error.to_string())?;
        self.due = Due::default();
        self.renew_layout();
        self.is_fresh = true;
        self.has_looked = false;
        Ok(())
    }

    /// The machine.
    pub fn machine(&mut self) -> &mut Machine {
        self.machine
    }

    /// The values of the registers that go with every report of a stop.
    #[must_use]
    pub fn expedited(&self) -> Vec<(usize, Vec<u8>)> {
        self.layout.expedited(self.machine.cpu())
    }

    /// What the client has inserted.
    #[must_use]
    pub fn inserted(&self) -> &Inserted {
        &self.inserted
    }

    /// Starts over with a client that knows nothing: no breakpoints, and the layout of the present mode.
    pub fn forget_client(&mut self) {
        self.forget_breakpoints();
        self.renew_layout();
        self.takes_layouts = false;
        self.resume = None;
        self.error = None;
        self.reveal();
        self.due = Due::default();
        self.is_fresh = false;
        if let Some(program) = &mut self.program {
            program.forget_client();
        }
    }

    /// Takes back all breakpoints and watchpoints.
    pub fn forget_breakpoints(&mut self) {
        self.machine.breakpoints_mut().clear();
        self.inserted = Inserted::default();
        self.reported = None;
        self.agent.forget();
    }

    /// The layout that the client knows.
    #[must_use]
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// Whether the present mode has another layout than the client knows.
    #[must_use]
    pub fn is_in_another_layout(&self) -> bool {
        let now = Layout::for_mode(self.machine.cpu().mode());
        now.description() != self.layout.description()
    }

    /// Whether the client takes the layout of another mode when it is told of one.
    pub fn note_takes_layouts(&mut self, takes: bool) {
        self.takes_layouts = takes;
    }

    /// Takes the layout of the present mode; the client is about to read its description.
    pub fn renew_layout(&mut self) {
        self.layout = Layout::for_mode(self.machine.cpu().mode());
    }

    /// Takes the layout for the description that the client is about to read. One that does not yet know of the
    /// mode gets that of the program which it has, or will load: it would refuse another one with a warning.
    pub fn serve_layout(&mut self, knows_mode: bool) {
        let knows_mode = knows_mode && (!self.is_fresh || self.has_looked);
        self.has_looked = true;
        let of_program = self.program.as_ref().and_then(Program::layout);
        match of_program {
            Some(layout) if !knows_mode && self.welcomes => self.layout = layout,
            _ => self.renew_layout(),
        }
    }

    /// Shows the client memory as it was before `stop`, if that is the access to watched ranges, until
    /// [`Guest::reveal`]. A client that has to set its watchpoints anew takes what it reads for the old value.
    pub fn conceal(&mut self, stop: &StopReason) {
        if let StopReason::Watchpoint(_) = stop {
            let hits = self.machine.watch_hits();
            let is_hit = |addr: Linear| hits.iter().any(|watch| watch.addr == addr);
            self.shadow = self.watched.iter().filter(|(addr, _)| is_hit(*addr)).cloned().collect();
        }
    }

    /// Keeps what is in the watched ranges: the old value, since the first change stops the guest.
    fn remember_watched(&mut self) {
        let machine = &self.machine;
        let content = |watch: &Watch| {
            let mut bytes = vec![0; usize::try_from(watch.len).unwrap_or(LONGEST).min(LONGEST)];
            let read = machine.read_linear(watch.addr, &mut bytes);
            bytes.truncate(read);
            (watch.addr, bytes)
        };
        self.watched = machine.breakpoints().watches().iter().map(content).collect();
    }

    /// Shows memory as it is.
    pub fn reveal(&mut self) {
        self.shadow.clear();
    }

    /// How the client wants the guest to go on, if it has just said so.
    pub fn take_resume(&mut self) -> Option<Resume> {
        self.resume.take()
    }

    /// Says whether the step that the client wants next is one of its own, off a breakpoint, if that is known.
    pub fn note_step_off(&mut self, steps_off: Option<bool>) {
        self.steps_off = steps_off;
    }

    /// Whether the guest went on last by a step, or through a range.
    #[must_use]
    pub fn was_stepping(&self) -> bool {
        self.stepping
    }

    /// Why the last request failed, if there is a text for it.
    pub fn take_error(&mut self) -> Option<String> {
        self.error.take()
    }

    /// Whether the user asked for the end of it all.
    #[must_use]
    pub fn wants_to_quit(&self) -> bool {
        self.quit
    }

    /// Keeps the text of `error` for the reply and gives gdbstub an error that ends nothing.
    fn refuse(&mut self, error: impl ToString) -> TargetError<Infallible> {
        self.error = Some(error.to_string());
        TargetError::NonFatal
    }
}

impl Target for Guest<'_> {
    type Arch = X86;
    /// Nothing that happens here ends the session.
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, X86, Infallible> {
        BaseOps::SingleThread(self)
    }

    /// Replies are taken apart by the session, and a loopback connection gains nothing from shorter ones.
    fn use_rle(&self) -> bool {
        false
    }

    fn use_fork_stop_reason(&self) -> bool {
        false
    }

    fn use_vfork_stop_reason(&self) -> bool {
        false
    }

    fn use_vforkdone_stop_reason(&self) -> bool {
        false
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }

    fn support_host_info(&mut self) -> Option<HostInfoOps<'_, Self>> {
        Some(self)
    }

    fn support_process_info(&mut self) -> Option<ProcessInfoOps<'_, Self>> {
        Some(self)
    }
}
