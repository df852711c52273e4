//! The oracle: a processor emulated by QEMU's TCG, driven through QEMU's own gdb stub.
//!
//! The guest's memory is a file that both sides see, so that comparing all of it costs nothing. It is only
//! written through the stub, for QEMU has to learn of changed code. To QEMU's stub the next packet acknowledges
//! the last.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::state::{REGISTERS_SIZE, State};

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// Largest payload of a packet.
const PACKET: usize = 0xf00;

/// A QEMU that says nothing for so long hangs.
const LIMIT: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, String>;

/// A running QEMU whose guest is stopped.
pub struct Qemu {
    process: Child,
    stream: UnixStream,
    unread: Vec<u8>,
    memory: File,
    // Goes last.
    _dir: TempDir,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether QEMU is installed.
pub fn is_here() -> bool {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

impl Qemu {
    /// A processor at reset, with `size` bytes of memory; devices never come into play.
    pub fn start(size: usize) -> Result<Qemu> {
        let text = |error: std::io::Error| format!("{PROGRAM}: {error}");
        let dir = tempfile::tempdir().map_err(text)?;
        let file = dir.path().join("ram");
        let (stream, theirs) = UnixStream::pair().map_err(text)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(text)?;
        let process = Command::new(PROGRAM)
            .args(["-accel", "tcg,thread=single", "-cpu", "max", "-S", "-nodefaults"])
            .args(["-display", "none", "-machine", "pc,memory-backend=ram", "-object"])
            .arg(format!(
                "memory-backend-file,id=ram,share=on,size={size},mem-path={}",
                file.display()
            ))
            .args(["-m", &format!("{}K", size >> 10), "-gdb", "stdio"])
            .stdin(OwnedFd::from(theirs.try_clone().map_err(text)?))
            .stdout(OwnedFd::from(theirs))
            .spawn()
            .map_err(text)?;
        // Opened below, when it has answered.
        let memory = File::open("/dev/null").map_err(text)?;
        let mut qemu = Qemu { process, stream, unread: vec![], memory, _dir: dir };
        // The long form of the registers is for clients that have seen the description.
        qemu.ask("qSupported:xmlRegisters=i386")?;
        qemu.ask("qXfer:features:read:target.xml:0,ffb")?;
        qemu.order("Qqemu.PhyMemMode:1")?;
        qemu.memory = File::open(&file).map_err(text)?;
        Ok(qemu)
    }

    fn send(&mut self, text: &str) -> Result<()> {
        self.stream
            .write_all(text.as_bytes())
            .map_err(|error| format!("QEMU does not read: {error}"))
    }

    /// The payload of the next packet.
    fn packet(&mut self) -> Result<String> {
        loop {
            let start = self.unread.iter().position(|byte| *byte == b'$');
            let end = self.unread.iter().position(|byte| *byte == b'#');
            if let (Some(start), Some(end)) = (start, end)
                && self.unread.len() >= end + 3
            {
                let body = String::from_utf8_lossy(&self.unread[start + 1..end]).into_owned();
                self.unread.drain(..end + 3);
                return Ok(body);
            }
            let mut buffer = [0; 0x2000];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("QEMU has ended".to_owned()),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(format!("nothing comes from QEMU: {error}")),
            }
        }
    }

    fn ask(&mut self, body: &str) -> Result<String> {
        self.send(&packet(body))?;
        self.packet()
    }

    fn order(&mut self, body: &str) -> Result<()> {
        match self.ask(body)? {
            reply if reply == "OK" => Ok(()),
            reply => Err(format!("QEMU answers {reply} to {}", &body[..body.len().min(40)])),
        }
    }

    /// Begins to execute one instruction.
    pub fn step(&mut self) -> Result<()> {
        self.send(&packet("vCont;s:1"))
    }

    /// Waits for the end of what [`Qemu::step`] has begun.
    pub fn stepped(&mut self) -> Result<()> {
        match self.packet()? {
            stop if stop.starts_with("T05") => Ok(()),
            stop => Err(format!("QEMU stops with {stop}")),
        }
    }

    /// The registers; begins the next step at once if there is to be one.
    pub fn registers(&mut self, then_step: bool) -> Result<State> {
        let mut text = packet("g");
        if then_step {
            text += &packet("vCont;s:1");
        }
        self.send(&text)?;
        let hex = self.packet()?;
        let bytes = hex.get(..2 * REGISTERS_SIZE).ok_or("QEMU has fewer registers")?;
        State::from_hex(bytes).ok_or_else(|| format!("QEMU's registers are {hex}"))
    }

    /// Sets all registers.
    pub fn set_registers(&mut self, state: &State) -> Result<()> {
        self.order(&format!("G{}", state.to_hex()))
    }

    /// The first bytes of memory.
    pub fn memory(&self, len: usize) -> Result<Vec<u8>> {
        let mut data = vec![0; len];
        self.memory
            .read_exact_at(&mut data, 0)
            .map_err(|error| format!("QEMU's memory: {error}"))?;
        Ok(data)
    }

    /// Has memory hold `wanted` from 0 on.
    pub fn set_memory(&mut self, wanted: &[u8]) -> Result<()> {
        const LINE: usize = 64;
        let now = self.memory(wanted.len())?;
        let differs = |at: usize| {
            let end = (at + LINE).min(wanted.len());
            now[at..end] != wanted[at..end]
        };
        let mut at = 0;
        while at < wanted.len() {
            if !differs(at) {
                at += LINE;
                continue;
            }
            let mut end = at + LINE;
            while end < wanted.len() && end - at + LINE <= PACKET / 2 && differs(end) {
                end += LINE;
            }
            let data = &wanted[at..end.min(wanted.len())];
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            self.order(&format!("M{at:x},{:x}:{hex}", data.len()))?;
            at = end;
        }
        Ok(())
    }
}

fn packet(body: &str) -> String {
    let sum = body.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte));
    format!("${body}#{sum:02x}")
}
