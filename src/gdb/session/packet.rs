//! Which packets go to gdbstub, and which are answered here (gdb manual, appendix E.2 "Packets").

use super::{Demand, Session};
use crate::gdb::agent::Plan;
use crate::gdb::bulk::{self, Job};
use crate::gdb::engine::Outcome;
use crate::gdb::extended::{Effect, Hold};
use crate::gdb::frame::{Decoder, FrameEvent, MAX_PACKET, Reply, decode_number, decode_range};
use crate::gdb::target::Guest;
use crate::gdb::{follow, form, packets, questions, stop};
use crate::machine::StopReason;
use crate::x86::Linear;

impl<'m> Session<'m> {
    pub(super) fn packet(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let thread = self.thread();
        let stopped = || Reply::new().text(&format!("T05thread:{thread};"));
        if let Some((reply, effect)) = self.extended.packet(guest, body, stopped) {
            return self.change_hold(guest, reply, effect);
        }
        match body {
            b"QStartNoAckMode" if guest.welcomes() && self.follower.needs_acks() => {
                self.reply(Reply::error("acknowledgements stay"))
            }
            b"QStartNoAckMode" => {
                self.reply(Reply::new().text("OK"));
                self.outbox.borrow_mut().acks().stop();
                None
            }
            b"?" if guest.welcomes() && self.follower.welcome() => {
                self.reply(follow::switch(guest.machine().cpu().mode(), self.thread()))
            }
            b"?" => self.reply(self.reason_for_halt()),
            body if self.follower.is_answered(body) => {
                self.outbox.borrow_mut().accept();
                None
            }
            b"vCont?"
                if !self.outbox.borrow_mut().acks().in_use() && self.follower.answer_ahead() =>
            {
                let actions = self.engine.handle(guest, body);
                let Outcome::Replies(mut frames) = actions else {
                    return self.reply(Reply::new());
                };
                frames.extend(self.reason_for_halt().frame());
                self.outbox.borrow_mut().reply(&frames);
                None
            }
            b"k" => {
                // gdb takes no reply to this one and has hung up; lldb waits for it.
                self.reply(Reply::new().text("X09"));
                Some(Demand::Kill)
            }
            [b'v', b'K', b'i', b'l', b'l', ..] => {
                self.reply(Reply::new().text("OK"));
                Some(Demand::Kill)
            }
            [b'D'] | [b'D', b';', ..] => {
                self.reply(Reply::new().text("OK"));
                Some(Demand::Detach)
            }
            [b'c' | b's', _, ..] => {
                self.reply(Reply::error("set pc instead of resuming elsewhere"))
            }
            [b'm', range @ ..] => match clamped_read(range) {
                Some(body) => self.ask(guest, &body),
                // A text would be taken for data.
                None => self.reply(Reply::new().text("E01")),
            },
            body if !form::is_sound(body) => self.reply(Reply::error("malformed packet")),
            body if body.starts_with(b"qSupported") => self.negotiate(guest, body),
            body if questions::is_search(body) => self.reply(questions::search(guest, body)),
            body if bulk::is_job(body) => {
                let mut job = Job::new(body);
                match job.go_on(guest) {
                    Some(reply) => self.reply(reply),
                    None => {
                        self.outbox.borrow_mut().accept();
                        self.job = Some(job);
                        None
                    }
                }
            }
            [b'Z', kind @ (b'0' | b'1'), b',', place @ ..] => {
                self.insert(guest, body, *kind, place)
            }
            body => {
                if body == b"vCont?" {
                    self.follower.is_asked();
                }
                // gdb has all others go on with the one that its user steps, unless it steps off a breakpoint.
                let alone = body.starts_with(b"vCont;s") && !body[7..].contains(&b';');
                guest.note_step_off(self.follower.is_able().then_some(alone));
                if body.starts_with(b"qXfer:features:read:target.xml:0,") {
                    guest.serve_layout(!self.follower.awaits_welcome());
                }
                match packets::answer(guest, body) {
                    Some(reply) => self.reply(reply),
                    None => self.ask(guest, body),
                }
            }
        }
    }

    /// A breakpoint, with what the client wants decided at it.
    fn insert(
        &mut self,
        guest: &mut Guest<'m>,
        body: &[u8],
        kind: u8,
        place: &[u8],
    ) -> Option<Demand> {
        let end = body.iter().position(|byte| *byte == b';').unwrap_or(body.len());
        let (fixed, behind) = body.split_at(end);
        let plan = match behind {
            [b';', lists @ ..] => Plan::parse(lists),
            _ => Some(Plan::default()),
        };
        let addr = place.split(|byte| *byte == b',').next().and_then(decode_number);
        let (Some(plan), Some(addr)) = (plan, addr) else {
            return self.reply(Reply::error("malformed packet"));
        };
        guest.set_plan(kind - b'0', Linear(addr), plan);
        self.ask(guest, fixed)
    }

    /// Sends the reply to a packet of the extended mode, and passes on what the server has to do.
    fn change_hold(
        &mut self,
        guest: &mut Guest<'m>,
        reply: Option<Reply>,
        effect: Effect,
    ) -> Option<Demand> {
        let mut outbox = self.outbox.borrow_mut();
        match reply {
            Some(reply) => outbox.reply(&reply.frame()),
            None => outbox.accept(),
        }
        if effect == Effect::None {
            return None;
        }
        outbox.rest(effect == Effect::Release);
        drop(outbox);
        self.end_wait(guest);
        self.last_stop = StopReason::Stepped;
        self.again = false;
        self.follower.settle();
        Some(if effect == Effect::Halt { Demand::Halt } else { Demand::Release })
    }

    /// Hands a packet to the engine and its reply to the client.
    fn ask(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let outcome = self.engine.handle(guest, body);
        let error = guest.take_error();
        match (outcome, error) {
            (Outcome::Replies(frames), Some(text)) if frames.starts_with(b"$E") => {
                self.reply(Reply::error(&text))
            }
            (Outcome::Replies(frames), _) => {
                self.outbox.borrow_mut().reply(&frames);
                guest.wants_to_quit().then_some(Demand::Quit)
            }
            (Outcome::Failed(reason), _) => self.reply(Reply::error(&reason)),
            (Outcome::Resumed, _) if self.hold() != Hold::Debugged => {
                let _ = guest.take_resume();
                self.running = true;
                self.end_wait(guest);
                self.reply(Reply::error("no guest is being debugged"))
            }
            (Outcome::Resumed, _) => self.resumed(guest),
        }
    }

    /// Of what the client can do, gdbstub needs to know one thing only, and is particular about the rest.
    fn negotiate(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Option<Demand> {
        let has = |name: &[u8]| {
            body.split(|byte| matches!(byte, b':' | b';')).any(|feature| feature == name)
        };
        self.multiprocess = has(b"multiprocess+");
        self.follower.negotiate(has(b"exec-events+"));
        guest.note_takes_layouts(self.follower.is_able());
        let sign = if self.multiprocess { '+' } else { '-' };
        let asked = format!("qSupported:multiprocess{sign}");
        let Outcome::Replies(frames) = self.engine.handle(guest, asked.as_bytes()) else {
            return self.reply(Reply::new());
        };
        let Some(FrameEvent::Packet(reply)) = Decoder::new(MAX_PACKET).push(&frames).pop() else {
            return self.reply(Reply::new());
        };
        // gdbstub gives the size of its buffer, framing included.
        let features = reply.split(|byte| *byte == b';').filter(|f| !f.starts_with(b"PacketSize="));
        let size = format!("PacketSize={MAX_PACKET:x}").into_bytes();
        let own: [&[u8]; 6] = [
            &size,
            b"exec-events+",
            b"qXfer:exec-file:read+",
            b"binary-upload+",
            b"ConditionalBreakpoints+",
            b"BreakpointCommands+",
        ];
        let all: Vec<&[u8]> = own.into_iter().chain(features).collect();
        self.reply(Reply::escaped(&all.join(&b';')))
    }

    /// The reply to `?`.
    fn reason_for_halt(&self) -> Reply {
        let signal = stop::signal_number(&self.last_stop);
        Reply::new().text(&format!("T{signal:02x}thread:{};", self.thread()))
    }
}

/// The `m` packet for `ADDR,LEN` with a length whose reply fits a packet. Asking for less than wanted is
/// what the protocol provides for; beyond one buffer gdbstub would read on behind a hole.
fn clamped_read(range: &[u8]) -> Option<Vec<u8>> {
    let (addr, len) = decode_range(range)?;
    let len = len.min(MAX_PACKET as u64 / 2);
    Some(format!("m{addr:x},{len:x}").into_bytes())
}
