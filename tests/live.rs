//! `stepvisor run` on a terminal, as its user sees it: a pseudo-terminal of its own, whose other end is shown by an
//! interpreter of terminal sequences.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::terminal::terminal;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;
use vt100::{Color, Parser};

/// Only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a key, shows it, and so on.
const ECHO: &[u8] = b"\x31\xc0\xcd\x16\xb4\x0e\x31\xdb\xcd\x10\xeb\xf4";
/// Shows `S` and spins.
const SPIN: &[u8] = b"\xb8\x00\xb8\x8e\xc0\x26\xc7\x06\x00\x00\x53\x07\xeb\xfe";
/// Fills mode 13h with rows of colours, waits for a key, and sets mode 3; and so on.
const PICTURE: &[u8] =
    b"\xb8\x13\x00\xcd\x10\xb8\x00\xa0\x8e\xc0\x31\xff\x88\xf8\xb9\x00\xfa\xaa\xfe\xc0\xe2\xfb\
                         \x31\xc0\xcd\x16\xb8\x03\x00\xcd\x10\xeb\xf5";

/// What a shell does, with a command that may have another input: notes the terminal's settings before and after the command, and what is typed to it then.
const SHELL: &str = r#"
stty -g >"$HOME/before"
if [ "$INPUT" ]; then "$@" <"$INPUT"; else "$@"; fi
code=$?
stty -g >"$HOME/after"
stty -icanon -echo min 0 time 0
cat >"$HOME/left"
exit $code"#;

/// How the command is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// From a shell.
    Shell,
    /// In place of one.
    Nothing,
}

/// A terminal, and a command in it.
struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    parser: Parser<Bells>,
    /// All that was sent to it.
    raw: Vec<u8>,
    home: TempDir,
}

/// How often it has rung.
#[derive(Default)]
struct Bells(usize);

impl vt100::Callbacks for Bells {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.0 += 1;
    }
}

fn count(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 10 * columns, ws_ypixel: 20 * rows }
}

/// `stepvisor run` of the boot sector `code`, from a shell in a terminal of 30 rows.
fn run(code: &[u8]) -> Terminal {
    start(code, &[], From::Shell, |_| {})
}

/// The same with arguments, and with changes to the command's surroundings.
fn start(code: &[u8], args: &[&str], from: From, change: impl FnOnce(&mut Command)) -> Terminal {
    let (keyboard, end) = terminal();
    tcsetwinsize(&keyboard, winsize(30, 90)).unwrap();
    let home = TempDir::new().unwrap();
    let image = home.path().join("boot.bin");
    let mut sector = code.to_vec();
    sector.resize(510, 0);
    sector.extend_from_slice(b"\x55\xaa");
    fs::write(&image, sector).unwrap();

    // Makes it the controlling terminal of the process that it becomes.
    let mut command = Command::new("setsid");
    command.arg("--ctty");
    if from == From::Shell {
        command.args(["sh", "-c", SHELL, "sh"]);
    }
    command.arg(env!("CARGO_BIN_EXE_stepvisor")).arg("run").arg(image).args(args);
    command
        .env("TERM", "xterm-256color")
        .env("HOME", home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("INPUT")
        .env_remove("NO_COLOR")
        .env_remove("STEPVISOR_LOG")
        .env_remove("STEPVISOR_GDB")
        .env_remove("DEBUGINFOD_URLS")
        .stdin(end.try_clone().unwrap())
        .stdout(end.try_clone().unwrap())
        .stderr(end);
    change(&mut command);
    let child = command.spawn().unwrap();
    // Nobody but the child has the other end.
    drop(command);
    let mut screen = keyboard.try_clone().unwrap();
    let (sender, output) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // Ends with an error, once the child is gone.
        while let Ok(len) = screen.read(&mut bytes) {
            if len == 0 || sender.send(bytes[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    let parser = Parser::new_with_callbacks(count(30), count(90), 0, Bells::default());
    Terminal { child, keyboard, output, parser, raw: Vec::new(), home }
}

impl Terminal {
    fn type_in(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.parser.set_size(count(rows), count(columns));
        tcsetwinsize(&self.keyboard, winsize(rows, columns)).unwrap();
    }

    fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Row `number`, without blanks at its end.
    fn row(&self, number: u16) -> String {
        let columns = self.parser.screen().size().1;
        let row = self.parser.screen().rows(0, columns.get()).nth(number.into());
        row.unwrap_or_default().trim_end().to_owned()
    }

    /// Shows the guest, and not what was there before.
    fn is_live(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// Takes what is sent. Whether there can be more.
    #[track_caller]
    fn take(&mut self, deadline: Instant) -> bool {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.parser.process(&bytes);
                self.raw.extend_from_slice(&bytes);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("{}\nwaited in vain", self.text()),
        }
    }

    /// Waits until the terminal shows what `is_shown` wants.
    #[track_caller]
    fn wait(&mut self, is_shown: impl Fn(&Terminal) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_shown(self) {
            assert!(self.take(deadline), "{}\nthe command has ended", self.text());
        }
    }

    /// Waits until the guest's screen has `text` in row `number`.
    #[track_caller]
    fn wait_for_row(&mut self, number: u16, text: &str) {
        self.wait(|terminal| terminal.is_live() && terminal.row(number) == text);
    }

    /// Waits until `text` is shown below the guest's screen, or instead of it.
    #[track_caller]
    fn wait_for(&mut self, is_live: bool, text: &str) {
        self.wait(|terminal| terminal.is_live() == is_live && terminal.text().contains(text));
    }

    /// Waits for the command's end, and gives its exit code.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while self.take(deadline) {}
        self.child.wait().unwrap().code()
    }

    /// Waits for the end of a command that a shell has started, which finds its terminal as it was.
    #[track_caller]
    fn end_in_shell(&mut self) -> Option<i32> {
        let code = self.end();
        assert!(!self.is_live() && !self.parser.screen().hide_cursor());
        let noted = |name| fs::read_to_string(self.home.path().join(name)).unwrap();
        assert_eq!(noted("after"), noted("before"));
        assert_eq!(noted("left"), "");
        code
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn send(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether keys come one by one and unchanged.
    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// gdb waits for a command, in the last row that is used.
    fn is_at_prompt(&self) -> bool {
        !self.is_live() && self.text().trim_end().ends_with("(gdb)")
    }

    fn has_been_sent(&self, bytes: &[u8]) -> bool {
        self.raw.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Has ended, unless a test has failed; the terminal's end ends what it has started.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_screen_is_shown_while_the_guest_waits_and_keys_are_typed() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "boot.bin   Ctrl-] leaves, Ctrl-\\ starts gdb");
    terminal.type_in(b"Hello {you}");
    terminal.wait_for_row(0, "Hello {you}");
    terminal.wait(|terminal| terminal.parser.screen().cursor_position() == (0, 11));
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
    let text = terminal.text();
    assert!(text.contains("Hello {you}\n") && text.contains("stepvisor: left at"), "{text}");
}

#[test]
fn keys_that_are_no_characters_are_those_of_the_guests_keyboard() {
    let code = fs::read("guests/bin/keys.bin").unwrap();
    let mut terminal = start(&code[..510], &[], From::Shell, |_| {});
    // The guest says the words of the BIOS, and which shift keys are held, of which a terminal tells nothing.
    terminal.wait_for(true, "2d78 ");
    let known: [(&[u8], &str); 9] = [
        (b"\x1b[A", "48e0 "),
        (b"\x1bOB", "50e0 "),
        (b"\x1bOP", "3b00 "),
        (b"\x1b[24~", "8600 "),
        (b"\x1b[3~", "53e0 "),
        (b"\r", "1c0d "),
        (b"\x7f", "0e08 "),
        (b"\x03", "2e03 "),
        (b"\x1bx", "2d00 "),
    ];
    for (bytes, word) in known {
        terminal.type_in(bytes);
        terminal.wait_for(true, word);
    }
    // Esc alone; the guest ends at it.
    terminal.type_in(b"\x1b");
    assert_eq!(terminal.end_in_shell(), Some(0));
    assert!(terminal.text().contains("011b "), "{}", terminal.text());
}

#[test]
fn colours_and_the_cursor_are_the_guests() {
    // AAA in yellow on blue, the cursor in row 2, column 5; ends at a key.
    let mut terminal =
        run(b"\xb8\x41\x09\xbb\x1e\x00\xb9\x03\x00\xcd\x10\xb4\x02\x31\xdb\xba\x05\x02\xcd\x10\
                             \x31\xc0\xcd\x16\xfa\xf4");
    terminal.wait_for_row(0, "AAA");
    terminal.wait(|terminal| {
        let screen = terminal.parser.screen();
        screen.cursor_position() == (2, 5) && !screen.hide_cursor()
    });
    let screen = terminal.parser.screen();
    let colours = |column| {
        let cell = screen.cell(0, column).unwrap();
        (cell.fgcolor(), cell.bgcolor())
    };
    assert_eq!(colours(2), (Color::Idx(11), Color::Idx(4)));
    assert_eq!(colours(3), (Color::Idx(7), Color::Idx(0)));
    terminal.type_in(b" ");
    assert_eq!(terminal.end_in_shell(), Some(0));
    // In the end only the screen is left, as without a terminal.
    assert_eq!(terminal.text().trim_end(), "AAA");
}

#[test]
fn without_colours_the_screen_is_shown_in_reverse_video_at_most() {
    // AAA in black on grey; waits for a key.
    let code = b"\xb8\x41\x09\xbb\x70\x00\xb9\x03\x00\xcd\x10\x31\xc0\xcd\x16\xfa\xf4";
    let mut terminal = start(code, &[], From::Shell, |command| {
        command.env("NO_COLOR", "1");
    });
    terminal.wait_for_row(0, "AAA");
    let screen = terminal.parser.screen();
    let look = |column| {
        let cell = screen.cell(0, column).unwrap();
        (cell.inverse(), cell.fgcolor(), cell.bgcolor())
    };
    assert_eq!(look(2), (true, Color::Default, Color::Default));
    assert_eq!(look(3), (false, Color::Default, Color::Default));
    terminal.type_in(b" ");
    assert_eq!(terminal.end_in_shell(), Some(0));
    assert_eq!(terminal.text().trim_end(), "AAA");
}

#[test]
fn a_guest_that_spins_is_shown_and_left() {
    let mut terminal = run(SPIN);
    terminal.wait_for_row(0, "S");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
    assert!(terminal.text().starts_with("S\n"), "{}", terminal.text());
}

#[test]
fn the_exit_code_is_the_guests() {
    // Shows a key, and writes 15h to the exit port.
    let mut terminal = run(b"\x31\xc0\xcd\x16\xb4\x0e\x31\xdb\xcd\x10\xb0\x15\xe6\xf4");
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"k");
    assert_eq!(terminal.end_in_shell(), Some(43));
    assert!(terminal.text().starts_with("k\n"), "{}", terminal.text());
}

#[test]
fn nothing_is_sent_while_nothing_changes() {
    // Shows keys in upper case only: one waits for them, one looks again and again.
    let waits: &[u8] = b"\x31\xc0\xcd\x16\x3c\x61\x73\xf8\xb4\x0e\x31\xdb\xcd\x10\xeb\xf0";
    let looks: &[u8] =
        b"\xb4\x01\xcd\x16\x74\xfa\x31\xc0\xcd\x16\x3c\x61\x73\xf2\xb4\x0e\x31\xdb\xcd\x10\xeb\xea";
    for code in [waits, looks] {
        let mut terminal = run(code);
        terminal.wait_for(true, "leaves");
        terminal.type_in(b"A");
        terminal.wait_for_row(0, "A");
        terminal.wait(|terminal| terminal.parser.screen().cursor_position() == (0, 1));
        let before = terminal.raw.len();
        terminal.type_in(b"typing");
        terminal.type_in(b"B");
        terminal.wait_for_row(0, "AB");
        terminal.wait(|terminal| terminal.parser.screen().cursor_position() == (0, 2));
        let sent = String::from_utf8_lossy(&terminal.raw[before..]);
        // One character and the cursor, together or one after the other.
        assert!(sent.matches('B').count() == 1 && sent.len() < 100, "{sent:?}");
        terminal.type_in(b"\x1d");
        assert_eq!(terminal.end_in_shell(), Some(130));
    }
}

/// Virtual time would run ahead of whoever is to press the key, for ever and as fast as the host can.
#[test]
fn by_the_virtual_clock_a_guest_that_waits_for_a_key_waits_as_long_as_the_person() {
    // sti; mov bx, [0x46c]; W; mov ax, [0x46c]; sub ax, bx: the ticks in W. Their four hexadecimal digits, each by
    // mov cx, 4; rol ax, 4; push ax; and al, 15; cmp al, 10; sbb al, 0x69; das; mov ah, 14; int 0x10; pop ax; loop
    let waits: [&[u8]; 2] = [
        // mov ah, 0; int 0x16
        b"\xb4\x00\xcd\x16",
        // hlt; mov ah, 1; int 0x16; jz
        b"\xf4\xb4\x01\xcd\x16\x74\xf9",
    ];
    for wait in waits {
        let begin = b"\xfb\x31\xc0\x8e\xd8\x8b\x1e\x6c\x04";
        let show =
            b"\xa1\x6c\x04\x29\xd8\x31\xdb\xb9\x04\x00\xc1\xc0\x04\x50\x24\x0f\x3c\x0a\x1c\x69\x2f\
                     \xb4\x0e\xcd\x10\x58\xe2\xee\xeb\xfe";
        let began = Instant::now();
        let args = ["--clock", "virtual"];
        let mut terminal = start(&[begin, wait, show].concat(), &args, From::Shell, |_| {});
        terminal.wait_for(true, "leaves");
        terminal.type_in(b"k");
        terminal.wait(|terminal| terminal.row(0).len() == 4);
        let ticks = u32::from_str_radix(&terminal.row(0), 16).unwrap();
        let most = began.elapsed().as_secs_f64() * 18.21 + 1.0;
        assert!(f64::from(ticks) <= most, "{ticks} of {most}");
        terminal.type_in(b"\x1d");
        assert_eq!(terminal.end_in_shell(), Some(130));
    }
}

#[test]
fn a_termination_signal_ends_it_and_gives_the_terminal_back() {
    let signals = [
        Signal::TERM,
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::XCPU,
    ];
    for signal in signals {
        let mut terminal = start(ECHO, &[], From::Nothing, |_| {});
        terminal.wait_for(true, "leaves");
        terminal.send(signal);
        assert_eq!(terminal.end(), Some(130), "{signal:?}");
        assert!(!terminal.is_live() && !terminal.parser.screen().hide_cursor(), "{signal:?}");
        let text = terminal.text();
        assert!(text.contains("stepvisor: interrupted at"), "{signal:?}: {text}");
    }
}

#[test]
fn a_stopped_command_gives_the_terminal_back_and_takes_it_again() {
    let mut terminal = start(ECHO, &[], From::Nothing, |_| {});
    terminal.wait_for(true, "leaves");
    assert!(terminal.is_raw());
    terminal.send(Signal::TSTP);
    let stopped = waitid(WaitId::Pid(terminal.pid()), WaitIdOptions::STOPPED).unwrap();
    assert!(stopped.is_some_and(|status| status.stopped()));
    assert!(!terminal.is_raw());
    terminal.wait(|terminal| !terminal.is_live());
    terminal.send(Signal::CONT);
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"on");
    terminal.wait_for_row(0, "on");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end(), Some(130));
}

#[test]
fn of_a_screen_larger_than_the_terminal_the_part_with_the_cursor_is_shown() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"first\r\nlast");
    terminal.wait_for_row(1, "last");
    terminal.resize(10, 40);
    terminal.wait(|terminal| terminal.row(1) == "last" && terminal.row(9).is_empty());
    // Down to the eleventh row.
    terminal.type_in(b"\n\n\n\n\n\n\n\n\n.");
    terminal.wait_for_row(0, "last");
    terminal.wait_for_row(9, "    .");
    terminal.resize(30, 90);
    terminal.wait_for_row(0, "first");
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn in_a_small_terminal_the_keys_are_told_until_somebody_types() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "leaves");
    terminal.resize(10, 60);
    terminal.wait(|terminal| terminal.row(9).contains("leaves"));
    terminal.type_in(b"a");
    terminal.wait(|terminal| terminal.row(0) == "a" && terminal.row(9).is_empty());
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn gdb_is_started_on_the_guest_and_gives_it_back() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"before");
    terminal.wait_for_row(0, "before");
    terminal.type_in(b"\x1c");
    terminal.wait_for(false, "(gdb) ");
    terminal.type_in(b"info registers cs\n");
    terminal.wait_for(false, "cs             0x");
    terminal.type_in(b"quit\n");
    terminal.wait_for(false, "(y or n)");
    terminal.type_in(b"y\n");
    terminal.wait_for_row(0, "before");
    terminal.type_in(b"+after");
    terminal.wait_for_row(0, "before+after");
    // Once more.
    terminal.type_in(b"\x1c");
    terminal.wait(Terminal::is_at_prompt);
    terminal.type_in(b"detach\n");
    terminal.wait(|terminal| terminal.text().contains("detached"));
    terminal.type_in(b"quit\n");
    terminal.wait_for_row(0, "before+after");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn a_kill_in_gdb_ends_the_run() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"\x1c");
    terminal.wait_for(false, "(gdb) ");
    terminal.type_in(b"kill\n");
    terminal.wait_for(false, "(y or n)");
    terminal.type_in(b"y\n");
    terminal.wait_for(false, "killed");
    terminal.type_in(b"quit\n");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn a_gdb_that_is_missing_is_told_and_the_guest_goes_on() {
    let mut terminal = start(ECHO, &["--gdb", "/nowhere/gdb"], From::Shell, |_| {});
    terminal.wait_for(true, "leaves");
    terminal.type_in(b"\x1c");
    terminal.wait(|terminal| terminal.row(29).contains("/nowhere/gdb is not installed"));
    terminal.type_in(b"k");
    terminal.wait(|terminal| terminal.is_live() && terminal.row(0) == "k");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
    assert!(terminal.text().contains("/nowhere/gdb is not installed"), "{}", terminal.text());
}

#[test]
fn pictures_are_half_blocks_and_sixels_once_the_terminal_says_that_it_has_them() {
    let mut terminal = run(PICTURE);
    terminal.wait(|terminal| {
        let upper = |column| terminal.parser.screen().cell(0, column).map(|cell| cell.bgcolor());
        terminal.is_live() && matches!(upper(40), Some(Color::Rgb(..)))
    });
    terminal.wait(|terminal| terminal.has_been_sent(b"\x1b[c"));
    assert!(!terminal.has_been_sent(b"\x1bP"));
    terminal.type_in(b"\x1b[?62;4c");
    terminal.wait(|terminal| terminal.has_been_sent(b"\x1b\\"));
    assert!(terminal.has_been_sent(b"\x1bP0;1q\"1;1;"));
    terminal.wait_for(true, "leaves");
    assert!(terminal.row(29).contains("leaves"));
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn an_answer_of_the_terminals_is_not_left_to_the_shell() {
    let mut terminal = run(PICTURE);
    terminal.wait(|terminal| terminal.has_been_sent(b"\x1b[c"));
    // At once: what comes later than the answer is waited for is the shell's.
    terminal.type_in(b"\x1d\x1b[?62;4c");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn what_the_guest_says_is_held_back_until_the_end() {
    // Writes C to the debug console, reads a port of nobody's, and ends at a key.
    let code: &[u8] = b"\xb0\x43\xe6\xe9\xba\x34\x12\xec\x31\xc0\xcd\x16\xfa\xf4";
    let mut terminal = run(code);
    // The last notice is in our line meanwhile.
    terminal.wait(|terminal| terminal.row(29).contains("read of 1 byte"));
    assert_eq!(terminal.row(0), "");
    // It has the line to itself where that is short.
    terminal.resize(30, 40);
    terminal.wait(|terminal| terminal.row(29).ends_with('…'));
    assert!(terminal.row(29).contains("read of 1 byte") && !terminal.row(29).contains("leaves"));
    terminal.resize(30, 90);
    terminal.type_in(b" ");
    assert_eq!(terminal.end_in_shell(), Some(0));
    assert!(terminal.text().starts_with("C\nstepvisor: "), "{}", terminal.text());

    // Elsewhere it is written at once.
    let path = TempDir::new().unwrap();
    let path = path.path().join("err");
    let file = File::create(&path).unwrap();
    let mut terminal = start(code, &[], From::Nothing, |command| {
        command.stderr(file);
    });
    terminal.wait(|terminal| terminal.row(29).contains("read of 1 byte"));
    let said = fs::read_to_string(&path).unwrap();
    assert!(said.starts_with("C\nstepvisor: "), "{said}");
    terminal.type_in(b" ");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(terminal.text().trim_end(), "");
}

#[test]
fn a_key_that_no_keyboard_has_rings() {
    let mut terminal = run(ECHO);
    terminal.wait_for(true, "leaves");
    terminal.type_in("é".as_bytes());
    terminal.wait(|terminal| terminal.parser.callbacks().0 == 1);
    terminal.type_in(b"e");
    terminal.wait_for_row(0, "e");
    terminal.type_in(b"\x1d");
    assert_eq!(terminal.end_in_shell(), Some(130));
}

#[test]
fn the_screen_is_only_printed_where_it_cannot_be_shown_or_is_not_wanted() {
    // Shows A and halts for ever.
    let code: &[u8] = b"\xb8\x41\x0e\x31\xdb\xcd\x10\xfa\xf4";
    type Change = fn(&mut Command);
    let cases: [(&[&str], Change); 5] = [
        (&["--live", "never"], |_| {}),
        (&[], |command| {
            command.env("TERM", "dumb");
        }),
        (&[], |command| {
            command.env_remove("TERM");
        }),
        (&["--serial", "-"], |_| {}),
        (&[], |command| {
            command.env("INPUT", "/dev/null");
        }),
    ];
    for (args, change) in cases {
        let mut terminal = start(code, args, From::Shell, change);
        assert_eq!(terminal.end_in_shell(), Some(0));
        assert!(!terminal.has_been_sent(b"\x1b[?1049h"), "{args:?}");
        assert_eq!(terminal.text().trim_end(), "A", "{args:?}");
    }
}
