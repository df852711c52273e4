//! How the client hears that the guest has stopped or ended: at once, or by way of a change of the register layout
//! (gdb manual, appendix E.3 "Stop Reply Packets").

use std::time::Instant;

use super::{Demand, OWN_DOING, Session};
use crate::gdb::extended::Hold;
use crate::gdb::follow::{self, Postponed};
use crate::gdb::frame::Reply;
use crate::gdb::stop;
use crate::gdb::target::{Guest, Resume};
use crate::machine::StopReason;

impl<'m> Session<'m> {
    /// Reports that the guest stopped for `stop`.
    pub fn report(&mut self, guest: &mut Guest<'m>, stop: StopReason) {
        let switched = matches!(stop, StopReason::ModeSwitch(_));
        if self.follower.is_able() && switched {
            self.report_switch(guest);
            // A step has ended with it; else there is nothing more to tell.
            if guest.was_stepping() {
                self.follower.postpone(StopReason::Stepped);
            }
        } else if self.follower.is_able() && guest.is_in_another_layout() {
            self.report_switch(guest);
            guest.conceal(&stop);
            self.follower.postpone(stop.clone());
        } else {
            let report = stop::report(&stop, guest.inserted());
            let in_step = guest.was_stepping() && report.looks_like_a_step();
            self.again = in_step && !self.follower.is_able();
            let pc = guest.machine().cpu().pc();
            let is_inserted = guest.inserted().software(pc) || guest.inserted().hardware(pc);
            let misleads = in_step || is_inserted && report.looks_like_a_breakpoint();
            let tells_gdb = misleads && self.follower.is_able();
            self.send_report(guest, &if tells_gdb { report.without_signal() } else { report });
        }
        self.last_stop = stop;
    }

    /// Has the client read the description of the mode that the guest is in now.
    fn report_switch(&mut self, guest: &mut Guest<'m>) {
        // gdbstub has no such report.
        self.end_wait(guest);
        guest.forget_breakpoints();
        let frame = follow::switch(guest.machine().cpu().mode(), self.thread()).frame();
        self.outbox.borrow_mut().stopped(&[], &frame);
    }

    /// Tells a client that waits that the guest has ended with `status`.
    pub fn report_exit(&mut self, guest: &mut Guest<'m>, note: &str, status: u8) {
        if self.extended.hold() != Hold::Debugged {
            self.extended.ended();
            return;
        }
        self.extended.ended();
        let frame = Reply::new().text("W").hex(&[status]).frame();
        self.outbox.borrow_mut().stopped(&[note.to_owned()], &frame);
        self.end_wait(guest);
    }

    /// The client has the guest go on, unless it is to hear of another stop first.
    pub(super) fn resumed(&mut self, guest: &mut Guest<'m>) -> Option<Demand> {
        let mut outbox = self.outbox.borrow_mut();
        if self.follower.owes_welcome() {
            outbox.accept_with_report();
        } else {
            outbox.accept();
        }
        outbox.resumed();
        drop(outbox);
        self.running = true;
        let resume = guest.take_resume().unwrap_or(Resume::Continue);
        guest.reveal();
        let again = std::mem::take(&mut self.again) && resume == Resume::Continue;
        let overtaken = self.overtaken.take().filter(|since| since.elapsed() < OWN_DOING);
        // The guest has run already: this is what the client has been waiting for.
        match self.follower.take_postponed() {
            None if overtaken.is_some() => self.report(guest, StopReason::Kicked),
            None if self.crashes.is_ignored() => return Some(Demand::Wait(resume)),
            None if again => self.repeat_report(guest),
            None => return Some(Demand::Run(resume)),
            Some(Postponed::Stop(stop)) => {
                let pc = guest.machine().cpu().pc();
                let report = follow::postponed(&stop, &resume, pc, guest.inserted());
                self.send_report(guest, &report);
            }
            Some(Postponed::Welcome) => self.repeat_report(guest),
        }
        None
    }

    /// Reports the last stop once more. What there was to say was said at the time.
    fn repeat_report(&mut self, guest: &mut Guest<'m>) {
        let mut report = stop::report(&self.last_stop, guest.inserted());
        report.notes.clear();
        self.send_report(guest, &report);
    }

    fn send_report(&mut self, guest: &mut Guest<'m>, report: &stop::Report) {
        let frame = self.engine.report(guest, report.reason, &guest.expedited());
        let mut notes = report.notes.clone();
        // Without words of its own it is a report of something that was told at the time.
        let crash = guest.machine().crash().filter(|_| !notes.is_empty());
        notes.extend(self.crashes.account(crash));
        self.outbox.borrow_mut().stopped(&notes, &frame);
        self.running = false;
        self.stopped = Some(Instant::now());
    }

    /// Lets gdbstub, which waits for a stop, know of some stop.
    pub(super) fn end_wait(&mut self, guest: &mut Guest<'m>) {
        if std::mem::take(&mut self.running) {
            let some = stop::report(&StopReason::Stepped, guest.inserted());
            let _ = self.engine.report(guest, some.reason, &[]);
        }
    }
}
