//! gdbstub's state machine, fed one well-formed packet at a time and made to survive all of them.
//!
//! gdbstub ends its session on packets that it cannot make sense of. Here such a packet costs an error
//! reply: the state machine is built anew and told again what the client had negotiated.

use std::convert::Infallible;

use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::{
    GdbStubStateMachine as StateMachine, GdbStubStateMachineInner as Inner, state,
};
use gdbstub::stub::{GdbStubBuilder, SingleThreadStopReason};

use super::arch::RegisterNumber;
use super::frame::{MAX_PACKET, Reply, decode_number};
use super::target::Guest;

/// Room for `$`, `#` and the checksum around the longest body.
const FRAMING: usize = 4;

/// Where a `#` is left in gdbstub's buffer, behind all but the longest packets. gdbstub looks for a second `#`
/// behind each packet, through the rest of its buffer: without one there, that takes a third of the time that
/// a step takes.
const MARK: usize = 256;

/// What gdbstub writes, in memory.
#[derive(Debug, Default)]
struct Buffer(Vec<u8>);

impl Connection for Buffer {
    type Error = Infallible;

    fn write(&mut self, byte: u8) -> Result<(), Infallible> {
        self.0.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

type Automaton<'m> = StateMachine<'static, Guest<'m>, Buffer>;
type Failure = gdbstub::stub::GdbStubError<Infallible, Infallible>;

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whole frames for the client.
    Replies(Vec<u8>),
    /// The guest is to go on; [`Guest::take_resume`] says how.
    Resumed,
    /// gdbstub could not make sense of the packet; why.
    Failed(String),
}

/// A protocol engine for one client.
pub struct Engine<'m> {
    machine: Option<Automaton<'m>>,
    /// The `qSupported` packet that was handled last.
    negotiated: Vec<u8>,
    /// There is a `#` at [`MARK`].
    marked: bool,
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let negotiated = String::from_utf8_lossy(&self.negotiated);
        f.debug_struct("Engine").field("negotiated", &negotiated).finish_non_exhaustive()
    }
}

impl<'m> Engine<'m> {
    /// An engine to which the client has said nothing.
    pub fn new(guest: &mut Guest<'m>) -> Engine<'m> {
        let mut engine = Engine { machine: None, negotiated: Vec::new(), marked: false };
        engine.restart(guest);
        engine
    }

    /// Handles the packet with the body `body`, escapes included.
    pub fn handle(&mut self, guest: &mut Guest<'m>, body: &[u8]) -> Outcome {
        let overwrites = overwrites_mark(body);
        if !overwrites && !self.marked {
            self.mark(guest);
        }
        self.marked &= !overwrites;
        let outcome = match self.machine.take() {
            Some(StateMachine::Idle(idle)) => feed(idle, guest, &Reply::escaped(body).frame()),
            // Not reached while the session hands over packets in the idle state only.
            _ => Err("the guest is running".to_owned()),
        };
        match outcome {
            Ok((machine @ StateMachine::Idle(_), written)) => {
                if body.starts_with(b"qSupported") {
                    self.negotiated = body.to_vec();
                }
                self.machine = Some(machine);
                Outcome::Replies(written)
            }
            Ok((machine @ StateMachine::Running(_), _)) => {
                self.machine = Some(machine);
                Outcome::Resumed
            }
            // The session keeps back the packets that end one.
            Ok(_) => self.fail(guest, "unexpected packet".to_owned()),
            Err(reason) => self.fail(guest, reason),
        }
    }

    /// The frame that reports a stop with `registers`; empty if the guest was not running.
    pub fn report(
        &mut self,
        guest: &mut Guest<'m>,
        reason: SingleThreadStopReason<u64>,
        registers: &[(usize, Vec<u8>)],
    ) -> Vec<u8> {
        let Some(StateMachine::Running(running)) = self.machine.take() else {
            self.restart(guest);
            return Vec::new();
        };
        let mut values = registers.iter().map(|(n, bytes)| (RegisterNumber(*n), bytes.as_slice()));
        match running.report_stop_with_regs(guest, reason, &mut values) {
            Ok(mut machine) => {
                let written = take_written(&mut machine);
                self.machine = Some(machine);
                written
            }
            Err(error) => {
                log::error!("cannot report a stop: {error}");
                self.restart(guest);
                Reply::new().text("S05").frame()
            }
        }
    }

    /// Has gdbstub take an unknown packet that ends at the mark.
    fn mark(&mut self, guest: &mut Guest<'m>) {
        if let Some(StateMachine::Idle(idle)) = self.machine.take() {
            let unknown = Reply::escaped(&[b'~'; MARK]).frame();
            self.machine = feed(idle, guest, &unknown).map(|(machine, _)| machine).ok();
            self.marked = true;
        }
    }

    fn fail(&mut self, guest: &mut Guest<'m>, reason: String) -> Outcome {
        log::debug!("packet refused: {reason}");
        // Whatever it began to ask for.
        let _ = (guest.take_resume(), guest.take_error());
        self.restart(guest);
        Outcome::Failed(reason)
    }

    /// Builds the state machine anew, and brings it to where the old one was.
    fn restart(&mut self, guest: &mut Guest<'m>) {
        let built = GdbStubBuilder::new(Buffer::default())
            .packet_buffer_size(MAX_PACKET + FRAMING)
            .build()
            .map_err(|error| error.to_string())
            .and_then(|stub| stub.run_state_machine(guest).map_err(|e: Failure| e.to_string()));
        // From the first packet on, so that gdbstub never writes an acknowledgement: the session does.
        let replay = [b"QStartNoAckMode".to_vec(), std::mem::take(&mut self.negotiated)];
        self.machine = built.map_err(|error| log::error!("no protocol engine: {error}")).ok();
        for body in replay.iter().filter(|body| !body.is_empty()) {
            let Some(StateMachine::Idle(idle)) = self.machine.take() else { return };
            let fed = feed(idle, guest, &Reply::escaped(body).frame());
            self.machine = fed.map(|(machine, _)| machine).ok();
        }
        let [_, negotiated] = replay;
        self.negotiated = negotiated;
        self.marked = false;
    }
}

/// Whether gdbstub's buffer is used beyond [`MARK`] for this packet: by the packet or for the data of its
/// reply.
fn overwrites_mark(body: &[u8]) -> bool {
    let data = match body {
        [b'm', range @ ..] => {
            let len = range.split(|byte| *byte == b',').nth(1);
            len.and_then(decode_number).unwrap_or(u64::MAX)
        }
        [b'q', b'X', ..] => u64::MAX,
        _ => 0,
    };
    data.saturating_add((body.len() + FRAMING) as u64) > MARK as u64
}

/// Feeds `frame` and returns the new state with what was written; `Err` says why there is none.
fn feed<'m>(
    idle: Inner<'static, state::Idle<Guest<'m>>, Guest<'m>, Buffer>,
    guest: &mut Guest<'m>,
    frame: &[u8],
) -> Result<(Automaton<'m>, Vec<u8>), String> {
    let mut machine = StateMachine::from(idle);
    for byte in frame {
        let StateMachine::Idle(idle) = machine else { break };
        machine = idle.incoming_data(guest, *byte).map_err(|error| error.to_string())?;
    }
    let written = take_written(&mut machine);
    Ok((machine, written))
}

fn take_written(machine: &mut Automaton<'_>) -> Vec<u8> {
    let buffer = match machine {
        StateMachine::Idle(inner) => inner.borrow_conn(),
        StateMachine::Running(inner) => inner.borrow_conn(),
        StateMachine::CtrlCInterrupt(inner) => inner.borrow_conn(),
        StateMachine::Disconnected(inner) => inner.borrow_conn(),
    };
    std::mem::take(&mut buffer.0)
}
